"""A verdict on a gradient, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvnlib._validation import Array
from mvnlib.checking.mistakes import Mistake
from mvnlib.checking.referees import Facts, Finding, Referee

EXTENSION = "the symmetric extension f((S + S^T) / 2), whose entrywise table is the frobenius one"
FLAWS = {
    "kink": "Along a random direction f has one slope ahead and another behind, as where abs or max switches or two "
    "eigenvalues meet: it has no differential here, and no table is its gradient.",
    "no differential": "Along a random direction f does not change as its partials say, so it seems to have no "
    "differential here, and no table is its gradient.",
}
BESIDE = {
    "transpose": "But at a matrix near by that is not symmetric it is the transpose of the right table.",
    "wrong": "But at a matrix near by that is not symmetric it is wrong: it uses the symmetry of S.",
}


@dataclass(frozen=True, eq=False)
class Report:
    """All that a message is made of."""

    facts: Facts
    referee: Referee
    claimed: Array
    convention: str
    finding: Finding
    right_in: tuple[str, ...]
    mistake: Mistake | None
    beside: Literal["", "transpose", "wrong"]
    S: Array


def describe(report: Report) -> str:
    """The message of a verdict."""
    sentences = {"right": _right, "wrong": _wrong, "unknown": _unknown}[report.finding](report)
    others = " and ".join(name for name in report.right_in if name != report.convention)
    if others and report.finding == "right":
        sentences.append(f"Here it is right as {others} too.")
    elif others:
        sentences.append(f"It is right as the {others} table.")
    if report.convention == "entrywise" or "entrywise" in report.right_in:
        sentences += _about_single_entries(report.facts)
    if report.facts.flaw:
        sentences.append(FLAWS[report.facts.flaw])
    if report.finding != "unknown" and report.referee.uncertainty > 1e-4 and not report.referee.is_zero:
        sentences.append(
            f"The differences themselves are uncertain by {report.referee.uncertainty:.1g} of the largest entry."
        )
    if report.beside:
        sentences.append(BESIDE[report.beside])
    return " ".join(sentences)


def _right(report: Report) -> list[str]:
    referee = report.referee
    start = f"Right as the {report.convention} table:"
    if referee.is_zero:
        return [
            f"{start} it is 0 as far as differences can tell, to about {referee.largest(referee.tolerance):.1g}."
        ]
    return [
        f"{start} the largest difference is {referee.error(report.claimed):.1g} of the largest entry, within the "
        "error of the differences."
    ]


def _unknown(report: Report) -> list[str]:
    referee = report.referee
    entry = np.unravel_index(
        np.argmax(np.where(referee.knows, 0.0, referee.tolerance * referee.lengths)), referee.table.shape
    )
    index = ", ".join(str(int(i)) for i in entry)
    where = f" in entry [{index}]" if referee.table.ndim else ""
    text = (
        f"Cannot tell whether it is right as the {report.convention} table:{where} differences give "
        f"{referee.table[entry]:.3g} and may be off by {referee.tolerance[entry]:.1g}, so that 0, the opposite and "
        "twice the candidate agree with them as well."
    )
    if referee.blur[entry] > referee.tolerance[entry] / 2 or referee.is_still.any():
        return [
            text,
            "The values of f are too noisy for this point: compute f in double precision, leave out large constants, "
            "tighten the tolerance of what it iterates, or check at a point that is better conditioned.",
        ]
    return [text, "f turns too much within every step tried: pass step, or check at another point."]


def _wrong(report: Report) -> list[str]:
    """Say which entries disagree, and by what ratio."""
    claimed, referee, convention = report.claimed, report.referee, report.convention
    wrong = ~referee.accepts(claimed)
    if not wrong.any():
        return [f"Not accepted as the {convention} table, although every entry agrees."]
    gap = np.where(wrong, np.abs(claimed - referee.table), 0.0) * referee.units
    worst = np.unravel_index(np.argmax(gap), gap.shape)
    index = ", ".join(str(int(i)) for i in worst)
    mine, theirs = float(claimed[worst]), float(referee.table[worst])
    text = f"Wrong as the {convention} table: {_which(wrong, report.S)} disagree{'s' if wrong.sum() == 1 else ''}, "
    text += f"most of all entry [{index}], where " if wrong.size > 1 else ""
    text += f"the candidate has {mine:.6g} and differences give {theirs:.6g}"
    if f"{mine:.6g}" == f"{theirs:.6g}":
        text += f" (a difference of {mine - theirs:.2g})"
    sentences = [text]
    if abs(theirs) <= referee.tolerance[worst]:
        sentences[0] += " (that is, 0)."
    elif not claimed.any() or f"{mine:.6g}" == f"{theirs:.6g}":
        sentences[0] += "."
    else:
        ratios, ratio = claimed[wrong] / referee.table[wrong], mine / theirs
        same = wrong.sum() > 1 and bool(np.allclose(ratios, ratio, rtol=1e-4, atol=0))
        sentences[0] += f"; the ratio is {ratio:.6g}{' for all of these' if same else ''}."
        if (
            convention != "entrywise"
            and not referee.largest(claimed - claimed.swapaxes(0, 1)) <= gap.max() * 1e-3
        ):
            sentences.append(f"A {convention} table is symmetric, the candidate is not.")
    if report.mistake:
        sentences.append(f"It looks like this: {report.mistake.hint}.")
    return sentences


def _about_single_entries(facts: Facts) -> list[str]:
    if facts.refusal:
        return [
            f"f takes only symmetric matrices here ({facts.refusal}), so no single entry can be moved: an entrywise "
            f"claim is judged on {EXTENSION}."
        ]
    if facts.triangle:
        return [
            f"f reads only the {facts.triangle} triangle of S: moving one entry gives twice the frobenius table "
            "there and 0 across the diagonal. An entrywise claim is accepted as these partials of the "
            f"program, or as those of {EXTENSION}."
        ]
    return []


def _which(wrong: NDArray[np.bool_], S: Array) -> str:
    if wrong.all():
        return "all entries" if wrong.size > 1 else "the entry"
    if S.ndim == 2 and S.shape[0] == S.shape[1]:
        diagonal = np.broadcast_to(
            np.eye(len(S), dtype=bool).reshape(S.shape + (1,) * (wrong.ndim - 2)), wrong.shape
        )
        if (wrong == diagonal).all():
            return "the diagonal entries"
        if (wrong == ~diagonal).all():
            return "the off-diagonal entries"
    return f"{int(wrong.sum())} of {wrong.size} entries"
