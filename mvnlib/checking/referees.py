"""What differences know of a gradient: the facts on which `mvnlib.checking.gradient` bases a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvnlib._validation import Array, as_given, probing
from mvnlib.conventions import convert_gradient
from mvnlib.differences.evaluation import Evaluation
from mvnlib.differences.reach import scale
from mvnlib.differences.tables import Table, sharpened, slope_along, table_of_entries

SAFETY = 8.0  # tolerance in units of the error estimate, which is itself seldom exceeded
FLOOR = 1e-12  # and never below this share of the largest entry: the candidate is rounded too
#: Entries that together with their tolerance stay below this share of the largest may be anything.
NEGLIGIBLE = 0.05
#: A change of f, in the units of a log density, below which it counts as none.
NO_CHANGE = 1e-3
#: Beyond this uncertainty values at complex points are asked as well.
SHARP = 1e-8
SEED = 20060423

Finding = Literal["right", "wrong", "unknown"]


@dataclass(frozen=True, eq=False)
class Settings:
    """What the caller knows better than the measurement."""

    step: float | None = None
    noise: Array | None = None
    rtol: float = 0.0


@dataclass(frozen=True, eq=False)
class Referee:
    """A table by differences, how far each entry may be off, and the lengths in which entries compare.

    ``size`` is how large an entry might be, in these lengths, for each component of f; ``blur`` the part of the
    tolerance that is noise, ``noise`` that of the values of f.
    """

    table: Array
    tolerance: Array
    lengths: Array
    size: Array
    blur: Array
    noise: Array

    @classmethod
    def of(cls, found: Table, rtol: float) -> Referee:
        """From a table by differences."""
        entries = tuple(range(found.value.ndim - found.noise.ndim))
        largest = (np.abs(found.value) * found.lengths).max(axis=entries)
        size = np.maximum(largest, (found.swing * found.lengths).max(axis=entries))
        tolerance = SAFETY * found.error + (FLOOR + rtol) * largest / found.lengths
        return cls(found.value, tolerance, found.lengths, size, SAFETY * found.blur, found.noise)

    def converted(self, source: str, target: str) -> Referee:
        """The same of another table."""
        names = ("table", "tolerance", "blur")
        return replace(
            self, **{name: convert_gradient(getattr(self, name), source, target) for name in names}
        )

    def allowing(self, precision: float) -> Referee:
        """For a candidate that is itself known to this share of its largest entry only."""
        slack = precision * np.abs(self.table * self.lengths).max() / self.lengths
        return replace(self, tolerance=self.tolerance + slack)

    def accepts(self, candidate: Array) -> NDArray[np.bool_]:
        """Which entries of a candidate are within the tolerance."""
        return np.asarray(np.abs(candidate - self.table) <= self.tolerance)

    def judges(self, candidate: Array) -> Finding:
        """Whether a candidate is right, or wrong; or whether an entry of it might as well be 0, or twice itself."""
        if not self.accepts(candidate).all():
            return "wrong"
        return "right" if self.knows.all() else "unknown"

    @property
    def knows(self) -> NDArray[np.bool_]:
        """Which entries differences can tell from 0, or from anything that matters."""
        reach = self.tolerance * self.lengths
        told = np.abs(self.table) > 3 * self.tolerance
        return np.asarray(told | (reach <= np.maximum(NEGLIGIBLE * self.size, NO_CHANGE * self.is_still)))

    @property
    def is_still(self) -> NDArray[np.bool_]:
        """Whether f does not change at all, as far as differences can tell."""
        reach = (self.tolerance * self.lengths).max(axis=tuple(range(self.table.ndim - self.size.ndim)))
        return np.asarray(self.size <= reach)

    @property
    def is_zero(self) -> bool:
        """Whether the table cannot be told from zero."""
        return bool(self.accepts(np.zeros_like(self.table)).all())

    def largest(self, table: Array) -> float:
        """The largest entry, in lengths over which f varies alike."""
        return float(np.abs(table * self.units).max())

    @property
    def units(self) -> Array:
        """The lengths relative to the longest."""
        return np.asarray(self.lengths / float(self.lengths.max()))

    @property
    def uncertainty(self) -> float:
        """The largest tolerance relative to the largest entry."""
        size = self.largest(self.table)
        return self.largest(self.tolerance) / size if size else 0.0

    def error(self, candidate: Array) -> float:
        """The largest difference of a candidate, relative to the largest entry."""
        return self.largest(candidate - self.table) / (1.0 if self.is_zero else self.largest(self.table))


@dataclass(frozen=True, eq=False)
class Facts:
    """What was found about f at a point, before any word is said.

    Attributes
    ----------
    referees : dict
        By convention.
    refusal : str
        Why f takes only symmetric matrices; empty if it takes others.
    triangle : str
        The only triangle that f reads, if it does.
    program : Referee or None
        The partials of the program, if f reads one triangle.
    flaw : {"", "kink", "no differential"}
        Why no table is the gradient.
    """

    referees: dict[str, Referee]
    refusal: str = ""
    triangle: str = ""
    program: Referee | None = None
    flaw: Literal["", "kink", "no differential"] = ""

    @property
    def judged_on_extension(self) -> bool:
        """Whether an entrywise claim is judged on f((S + S^T) / 2)."""
        return bool(self.refusal or self.triangle)

    def allowing(self, precision: float) -> Facts:
        """The same for a candidate of limited precision."""
        if not precision:
            return self
        referees = {name: referee.allowing(precision) for name, referee in self.referees.items()}
        program = None if self.program is None else self.program.allowing(precision)
        return replace(self, referees=referees, program=program)

    def referee_of(self, convention: str, candidate: Array) -> Referee:
        """The referee of a claim: where f reads one triangle, the program's partials if it is them."""
        if (
            convention == "entrywise"
            and self.program is not None
            and not self.referees[convention].accepts(candidate).all()
            and self.program.accepts(candidate).all()
        ):
            return self.program
        return self.referees[convention]

    def judges(self, candidate: Array) -> dict[str, Finding]:
        """For each convention whether a candidate is right in it."""
        if self.flaw:
            return dict.fromkeys(self.referees, "wrong")
        return {name: self.referee_of(name, candidate).judges(candidate) for name in self.referees}


def facts(f: Callable[..., Any], S: Array, symmetric: bool, known: Settings) -> Facts:
    """Ask differences of f in single entries, in pairs of entries, and along random directions."""
    found = _tables(f, S, symmetric, known)
    return replace(found, flaw=_flaw(f, S, found, known))


def _tables(f: Callable[..., Any], S: Array, symmetric: bool, known: Settings) -> Facts:
    if not symmetric:
        return Facts({"entrywise": _referee(f, S, False, known)})
    free = _referee(f, S, True, known)
    extension = free.converted("free", "frobenius")
    both = {"free": free, "frobenius": extension}
    try:
        single = _referee(f, S, False, known)
    except (ValueError, TypeError) as refusal:  # LinAlgError is a ValueError
        return Facts(both | {"entrywise": extension}, refusal=str(refusal.__cause__ or refusal).rstrip("."))
    if (triangle := _one_triangle(f, S, free.noise)) and not extension.accepts(single.table).all():
        return Facts(both | {"entrywise": extension}, triangle=triangle, program=single)
    return Facts(both | {"entrywise": single})


def _referee(f: Callable[..., Any], S: Array, tied: bool, known: Settings) -> Referee:
    g = Evaluation(f, S, None)
    found = table_of_entries(g, S, tied, "richardson", known.step, known.noise, True)
    referee = Referee.of(found, known.rtol)
    if known.step is None and SHARP < referee.uncertainty < 1:
        referee = Referee.of(sharpened(g, S, tied, found), known.rtol)
    return referee


def _one_triangle(f: Callable[..., Any], S: Array, noise: Array) -> str:
    """Name the triangle f reads, if changing the other leaves its value as it is but for noise, here and near by.

    Here alone it may be an accident: where S_21 = 0, a product with it does not feel S_12.
    """
    change = 0.1 * scale(S)[0] * np.random.default_rng(SEED).uniform(0.5, 1, S.shape)
    near = S + (change + change.T) / (2 * len(S))
    for triangle, ignored in (("lower", np.triu(change, 1)), ("upper", np.tril(change, -1))):
        try:
            with probing():
                pairs = ((np.array(f(at + ignored)), np.array(f(at.copy()))) for at in (S, near))
                if all((np.abs(one - other) <= 20 * noise).all() for one, other in pairs):
                    return triangle
        except Exception:
            return ""
    return ""


def _flaw(
    f: Callable[..., Any], S: Array, found: Facts, known: Settings
) -> Literal["", "kink", "no differential"]:
    """Compare the pairing of the tables with differences along random directions."""
    rng = np.random.default_rng(SEED)
    g = Evaluation(f, S, batched=False)
    for name in ("entrywise", "frobenius"):
        if name not in found.referees or (name == "entrywise" and found.judged_on_extension):
            continue
        referee = found.referees[name]
        for _ in range(2):
            E = rng.standard_normal(S.shape)
            E = (E / 2 + E.T / 2 if name == "frobenius" else E) * referee.units.reshape(S.shape)
            along = slope_along(g, S, E, "richardson", known.step, known.noise, True)
            if _flaw_along(E, along, referee):
                # Noise differs from line to line: a second look, in which it may be ten times as large.
                noise = 10 * np.maximum(along.noise, referee.noise)
                along = slope_along(g, S, E, "richardson", known.step, noise, True)
            if flaw := _flaw_along(E, along, referee):
                return flaw
    return ""


def _flaw_along(E: Array, along: Table, referee: Referee) -> Literal["", "kink", "no differential"]:
    truncation = along.error - along.blur
    if (truncation > np.maximum(0.05 * along.swing, SAFETY * along.blur)).any():
        return "kink"
    paired = np.tensordot(E, referee.table, E.ndim)
    allowed = np.tensordot(np.abs(E), referee.tolerance, E.ndim) + SAFETY * along.error
    return "no differential" if (np.abs(paired - along.value) > allowed).any() else ""


def moves_by_itself(f: Callable[..., Any], S: Array, value: Array) -> Array | None:
    """The second value of an f that moves by itself as much as when S moves, as random numbers do."""
    try:
        with probing():
            again, moved = (as_given(f(point)).copy() for point in (S.copy(), S * (1 + 2.0**-20)))
            gap, move = float(np.abs(again - value).max()), float(np.abs(moved - value).max())
    except Exception:  # f may well refuse such a point
        return None
    return again if gap > (move + 1e-6 * float(np.abs(value).max())) / 10 else None
