"""Verdicts on a gradient and on a derivation, that say in words what is wrong.

No single protocol of differences accepts every right gradient and rejects every wrong one. Symmetric
directions cannot tell G from its transpose; single entries cannot be moved where f takes symmetric matrices
only, and mislead where f reads one triangle; partials can agree where f has no differential. So
`check_gradient` asks all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._evaluation import checked
from ._mistakes import MISTAKES, Mistake, recognise
from ._quotients import scale
from ._steps import StepError, Steps, check_steps
from ._validation import (
    Array,
    as_given,
    as_real,
    is_nearly_symmetric,
    one_of,
    probing,
    quiet_around_functions,
)
from .conventions import CONVENTIONS, convert_gradient
from .differences import fd_differential, fd_gradient

__all__ = ["MISTAKES", "Mistake", "StepError", "Steps", "Verdict", "check_gradient", "check_steps"]

SAFETY = 10.0  # tolerance in units of the error estimate, which is itself seldom exceeded
FLOOR = 1e-12  # and never below this share of the largest entry: the candidate is rounded too
SEED = 20060423
EXTENSION = "the symmetric extension f((S + S^T) / 2), whose entrywise table is the frobenius one"


@dataclass(frozen=True)
class Verdict:
    """What `check_gradient` found.

    It is true in a condition exactly if the candidate is right.

    Attributes
    ----------
    correct : bool
        Whether the candidate is right in the convention it was claimed in.
    conventions : tuple of str
        Every convention in which it is right at this point.
    max_error : float
        Largest difference from the table of the claimed convention, relative to that table's largest entry
        (absolute if that is zero, as far as differences can tell), the coordinates being counted in units in
        which the variances are alike.
    message : str
        The same in words: which entries disagree, by what ratio, what mistake it looks like, in which
        convention it would be right.
    mistake : str or None
        Key of the mistake in the catalogue `MISTAKES`, if it was recognised.
    """

    correct: bool
    conventions: tuple[str, ...]
    max_error: float
    message: str
    mistake: str | None = None

    def __bool__(self) -> bool:
        return self.correct

    def __repr__(self) -> str:
        return (
            f"Verdict(correct={self.correct}, conventions={self.conventions}, "
            f"max_error={self.max_error:.2g})\n{self.message}"
        )

    def _repr_html_(self) -> str:
        verdict = "correct" if self.correct else "not correct"
        where = f"right as {', '.join(self.conventions)}" if self.conventions else "right in no convention"
        return (
            f'<div class="mvn-verdict"><p><strong>{verdict}</strong> ({where}; '
            f"largest error {self.max_error:.2g})</p><p>{escape(self.message)}</p></div>"
        )


@dataclass(frozen=True)
class _Referee:
    """A table by differences, how far each entry may be off, and the units in which entries compare."""

    table: Array
    tolerance: Array
    units: Array

    @classmethod
    def of(cls, table: Array, error: Array, S: Array) -> "_Referee":
        units = _alike_units(S)
        return cls(table, SAFETY * error, units.reshape(units.shape + (1,) * (table.ndim - units.ndim)))

    def accepts(self, candidate: Array) -> NDArray[np.bool_]:
        return np.asarray(np.abs(candidate - self.table) <= self.tolerance)

    @property
    def is_zero(self) -> bool:
        """Whether the table cannot be told from zero."""
        return bool(self.accepts(np.zeros_like(self.table)).all())

    @property
    def blur(self) -> float:
        """The largest tolerance relative to the largest entry."""
        size = self.size(self.table)
        return self.size(self.tolerance) / size if size else 0.0

    def size(self, table: Array) -> float:
        """The largest entry."""
        return float(np.abs(table * self.units).max())

    def error(self, candidate: Array) -> float:
        return self.size(candidate - self.table) / (1.0 if self.is_zero else self.size(self.table))


@quiet_around_functions
def check_gradient(
    f: Callable[..., Any],
    candidate: ArrayLike | Callable[..., Any],
    at: ArrayLike,
    convention: str = "entrywise",
) -> Verdict:
    """Judge a claimed gradient of f at a point, by differences of f alone.

    The candidate is compared with f moved in single entries (`entrywise`), with f moved in S_ij and S_ji
    together (`free`; half of it off the diagonal is `frobenius`), and the pairing of each table with random
    directions is compared with f moved along them. A table is right if every entry is within 10 times the
    error estimate of `richardson` differences: about 1e-11 of the largest entry at condition number 10, 1e-6
    at 1e6.

    Where f takes only symmetric matrices, or reads only one triangle (a density by Cholesky), the partials in
    single entries do not exist or are those of the program, not of the function. An `entrywise` claim is then
    judged on the symmetric extension f((S + S^T) / 2), whose entrywise table is the `frobenius` one, and the
    message says so.

    Parameters
    ----------
    f : callable
        Function of an array shaped like `at`, with a number (or an array) as value.
    candidate : array, or callable
        The claimed gradient, of shape at.shape + f(at).shape; or a function that returns it at a point. A
        function is also tried off the symmetric matrices, where a transpose shows that a symmetric point
        hides; that is reported in the message and leaves the verdict at this point alone.
    at : array of at most two axes
        The point. Conventions other than `entrywise` need a symmetric matrix.
    convention : {"entrywise", "frobenius", "free"}
        The convention in which the candidate is claimed.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError, TypeError
        If `candidate` has another shape than the gradient or is not finite, if f has no finite value at the
        point or along symmetric directions, or other values each time it is called, or for bad input.

    Notes
    -----
    Cost: about 16 values of f for each entry of the point, and some 300 more, most of them along random directions.

    Examples
    --------
    >>> S = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> P = np.linalg.inv(S)
    >>> logdet = lambda S: np.linalg.slogdet(S)[1]
    >>> check_gradient(logdet, P, S).conventions
    ('entrywise', 'frobenius')
    >>> verdict = check_gradient(logdet, -P, S)
    >>> bool(verdict), verdict.mistake
    (False, 'sign')

    Where S_ij and S_ji move together, another table is right:

    >>> check_gradient(logdet, 2 * P - np.diag(np.diag(P)), S, "free").conventions
    ('free',)
    """
    one_of("convention", convention, CONVENTIONS)
    S = as_real("at", at)
    if S.ndim > 2:
        raise ValueError(f"at must be a number, a vector or a matrix, but its shape is {S.shape}")
    if not callable(f):
        raise TypeError(f"f must be a function, not {f!r}")
    symmetric = is_nearly_symmetric(S)
    if convention != "entrywise" and not symmetric:
        raise ValueError(
            f"the {convention} table is a derivative in the space of symmetric matrices, but at is not one; "
            'use convention="entrywise"'
        )
    if symmetric:
        S = S / 2 + S.T / 2
    value = checked(f(S.copy()), "S").copy()
    _require_repeatable(f, S, value)
    shape = S.shape + value.shape
    claimed = as_real("candidate", candidate(S.copy()) if callable(candidate) else candidate, shape=shape)

    referees, notes, literal = _referees(f, S, symmetric)
    right = {name: bool(referee.accepts(claimed).all()) for name, referee in referees.items()}
    if literal is not None and not right["entrywise"] and literal.accepts(claimed).all():
        right["entrywise"], referees["entrywise"] = True, literal
    referee = referees[convention]
    broken = _directions_disagree(f, S, referees, symmetric_only=bool(notes))
    if convention != "entrywise" and not right["entrywise"]:
        notes = []  # they are about single entries
    if broken:
        right = dict.fromkeys(right, False)
        notes = [*notes, broken]
    conventions = tuple(name for name in CONVENTIONS if right.get(name))
    correct, error = right[convention], referee.error(claimed)
    if referee.blur > 1e-4 and not referee.is_zero:
        notes = [
            *notes,
            f"The differences themselves are uncertain by {referee.blur:.1g} of the largest entry.",
        ]
    others = " and ".join(name for name in conventions if name != convention)
    mistake = None
    if correct:
        message = [
            f"Right as the {convention} table: it is 0 as far as differences can tell, to about "
            f"{referee.size(referee.tolerance):.1g}."
            if referee.is_zero
            else f"Right as the {convention} table: the largest difference is {error:.1g} of the largest entry, "
            "within the error of the differences."
        ]
        if others:
            message.append(f"Here it is right as {others} too.")
        if convention == "entrywise" and symmetric and not notes and callable(candidate):
            notes = _off_symmetry(f, candidate, S)
    else:
        message = _complaints(claimed, referee, convention, S)
        if not referee.accepts(claimed).all():
            mistake = recognise(claimed, referee.table, S, convention, referee.units)
        if mistake:
            message.append(f"It looks like this: {mistake.hint}.")
        if others:
            message.append(f"It is right as the {others} table.")
    return Verdict(correct, conventions, error, " ".join(message + notes), mistake.key if mistake else None)


def _require_repeatable(f: Callable[..., Any], S: Array, value: Array) -> None:
    """Refuse an f that moves by itself as much as when S moves: its differences are uncertain beyond any table."""
    try:
        with probing():
            again, moved = (as_given(f(point)).copy() for point in (S.copy(), S * (1 + 2.0**-20)))
            gap, move = float(np.abs(again - value).max()), float(np.abs(moved - value).max())
    except Exception:  # f may well refuse such a point
        return
    if gap > (move + 1e-6 * float(np.abs(value).max())) / 10:
        raise ValueError(
            f"f must give one value at one point, but it gives {value} and then {again}; if it draws random numbers, "
            "hold them fixed"
        )


def _referees(
    f: Callable[..., Any], S: Array, symmetric: bool
) -> tuple[dict[str, _Referee], list[str], _Referee | None]:
    """Return the tables by differences, notes on how, and the program's partials if f reads one triangle."""
    if not symmetric:
        return (
            {"entrywise": _Referee.of(*_table(f, S, "entrywise"), S)},
            [],
            None,
        )
    free, error = _table(f, S, "free")
    referees = {"free": _Referee.of(free, error, S)}
    half, half_error = (convert_gradient(table, "free", "frobenius") for table in (free, error))
    extension = referees["frobenius"] = _Referee.of(half, half_error, S)
    try:
        single = _Referee.of(*_table(f, S, "entrywise"), S)
    except (ValueError, TypeError) as refusal:  # LinAlgError is a ValueError
        reason = str(refusal.__cause__ or refusal).rstrip(".")
        note = (
            f"f takes only symmetric matrices here ({reason}), so no single entry can be moved: an entrywise "
            f"claim is judged on {EXTENSION}."
        )
        return referees | {"entrywise": extension}, [note], None
    if (triangle := _one_triangle(f, S)) and not extension.accepts(single.table).all():
        note = (
            f"f reads only the {triangle} triangle of S: moving one entry gives twice the frobenius table "
            "there and 0 across the diagonal. An entrywise claim is accepted as these partials of the "
            f"program, or as those of {EXTENSION}."
        )
        return referees | {"entrywise": extension}, [note], single
    return referees | {"entrywise": single}, [], None


def _table(f: Callable[..., Any], S: Array, convention: str) -> tuple[Array, Array]:
    """Return a table and its errors by richardson differences, and where these are poor by the complex step."""
    units = _alike_units(S)
    g, R = _in_units(f, units), S / units
    table, error = fd_gradient(g, R, convention, "richardson", return_error=True)
    if 1e-6 < error.max() / (float(np.abs(table).max()) or 1.0) <= 1e-2:
        try:
            other, other_error = fd_gradient(g, R, convention, "complex", return_error=True)
        except (ValueError, TypeError):  # f is not made for it
            pass
        else:
            # An f that drops some of its imaginary parts is found out as far as the differences can be trusted.
            if (np.abs(other - table) <= SAFETY * (error + other_error)).all():
                better = other_error < error
                table, error = np.where(better, other, table), np.where(better, other_error, error)
    error = error + FLOOR / SAFETY * float(np.abs(table).max())
    units = units.reshape(units.shape + (1,) * (table.ndim - units.ndim))
    return table / units, error / units


def _alike_units(S: Array) -> Array:
    """Return units for the entries of S in which the variances of a positive definite S are alike, else ones.

    Millimetres beside grams make S ill-conditioned, and the entries of its gradient so unequal that an error
    in a small one cannot be told from rounding in a large one. The units are powers of two: no digit is lost.
    """
    if S.ndim == 2 and is_nearly_symmetric(S) and (S.diagonal() > 0).all():
        sd = 2.0 ** np.round(np.log2(S.diagonal()) / 2)
        units: Array = np.outer(sd, sd)
        if np.linalg.eigvalsh(S / units)[0] > 0:
            return units
    return np.ones_like(S)


def _in_units(f: Callable[..., Any], units: Array) -> Callable[..., Any]:
    """Return f of a point counted in units; of a complex one or a stack, too."""
    return f if (units == 1).all() else lambda R: f(R * units)


def _one_triangle(f: Callable[..., Any], S: Array) -> str:
    """Name the triangle f reads, if changing the other leaves its value exactly as it is, here and near by.

    Here alone it may be an accident: where S_21 = 0, a product with it does not feel S_12.
    """
    noise = 0.1 * scale(S)[0] * np.random.default_rng(SEED).uniform(0.5, 1, S.shape)
    near = S + (noise + noise.T) / (2 * len(S))
    for triangle, ignored in (("lower", np.triu(noise, 1)), ("upper", np.tril(noise, -1))):
        try:
            with probing():
                if all(np.array_equal(np.array(f(at + ignored)), f(at.copy())) for at in (S, near)):
                    return triangle
        except Exception:
            return ""
    return ""


def _directions_disagree(
    f: Callable[..., Any], S: Array, referees: dict[str, _Referee], symmetric_only: bool
) -> str:
    """Compare the pairing of the tables with differences along random directions; say so if they disagree."""
    rng = np.random.default_rng(SEED)
    units = _alike_units(S)
    g, R = _in_units(f, units), S / units
    general = "entrywise" in referees and not symmetric_only
    for name in ("entrywise", "frobenius"):
        if name not in referees or (name == "entrywise" and not general):
            continue
        for _ in range(2):
            E = rng.standard_normal(S.shape)
            if name == "frobenius":
                E = E / 2 + E.T / 2
            if kink := _kink(g, R, E):
                return kink
            df, error = fd_differential(g, R, E, "richardson", return_error=True)
            paired = np.tensordot(E * units, referees[name].table, E.ndim)
            allowed = np.tensordot(np.abs(E * units), referees[name].tolerance, E.ndim) + SAFETY * error
            if (np.abs(paired - df) > allowed).any():
                return (
                    "Along a random direction f does not change as its partials say, so it seems to have no "
                    "differential here, and no table is its gradient."
                )
    return ""


def _kink(f: Callable[..., Any], S: Array, E: Array) -> str:
    """Compare the slope ahead with the slope behind; two-sided differences average a kink away."""
    (ahead, error), (behind, other) = (
        fd_differential(f, S, sign * E, "forward", return_error=True) for sign in (1.0, -1.0)
    )
    if (np.abs(ahead + behind) <= SAFETY * (error + other)).all():
        return ""
    return (
        "Along a random direction f has one slope ahead and another behind, as where abs or max switches or "
        "two eigenvalues meet: it has no differential here, and no table is its gradient."
    )


def _complaints(claimed: Array, referee: _Referee, convention: str, S: Array) -> list[str]:
    """Say which entries disagree, and by what ratio."""
    wrong = ~referee.accepts(claimed)
    gap = np.where(wrong, np.abs(claimed - referee.table), 0.0) * referee.units
    if not wrong.any():
        return [f"Not accepted as the {convention} table, although every entry agrees."]
    worst = np.unravel_index(np.argmax(gap), gap.shape)
    index = ", ".join(str(int(i)) for i in worst)
    mine, theirs = float(claimed[worst]), float(referee.table[worst])
    text = f"Wrong as the {convention} table: {_which(wrong, S)} disagree{'s' if wrong.sum() == 1 else ''}, "
    text += f"most of all entry [{index}], where " if wrong.size > 1 else ""
    text += f"the candidate has {mine:.6g} and differences give {theirs:.6g}"
    if abs(theirs) <= referee.tolerance[worst]:
        return [text + " (that is, 0)."]
    if not claimed.any():
        return [text + "."]
    ratios = claimed[wrong] / referee.table[wrong]
    ratio = mine / theirs
    same = wrong.sum() > 1 and bool(np.allclose(ratios, ratio, rtol=1e-4, atol=0))
    message = [f"{text}; the ratio is {ratio:.6g}{' for all of these' if same else ''}."]
    if convention != "entrywise" and not referee.size(claimed - claimed.swapaxes(0, 1)) <= gap.max() * 1e-3:
        message.append(f"A {convention} table is symmetric, the candidate is not.")
    return message


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


def _off_symmetry(f: Callable[..., Any], candidate: Callable[..., Any], S: Array) -> list[str]:
    """Try a candidate that is right at a symmetric point at a neighbour that is not symmetric."""
    noise = np.random.default_rng(SEED).standard_normal(S.shape)
    near = S + 0.25 * scale(S)[0] * noise / float(np.linalg.norm(noise))
    try:
        with probing():
            referee = _Referee.of(*_table(f, near, "entrywise"), near)
            claimed = as_real("candidate", candidate(near.copy()), shape=referee.table.shape)
    except Exception:  # f or the candidate may well refuse such a point
        return []
    if referee.accepts(claimed).all():
        return []
    if referee.accepts(claimed.swapaxes(0, 1)).all():
        return ["But at a matrix near by that is not symmetric it is the transpose of the right table."]
    return ["But at a matrix near by that is not symmetric it is wrong: it uses the symmetry of S."]
