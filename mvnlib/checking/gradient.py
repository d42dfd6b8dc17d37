"""The verdict on a claimed gradient.

No single protocol of differences accepts every right gradient and rejects every wrong one. Symmetric
directions cannot tell G from its transpose; single entries cannot be moved where f takes symmetric matrices
only, and mislead where f reads one triangle; partials can agree where f has no differential. So
`check_gradient` asks all of them. What they know is collected first (`referees`), then judged here, and put into
words last (`words`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mvnlib._validation import (
    Array,
    as_number,
    as_positive,
    as_real,
    is_nearly_symmetric,
    one_of,
    probing,
    quiet_around_functions,
)
from mvnlib.checking.mistakes import recognise
from mvnlib.checking.referees import SEED, Facts, Settings, facts, moves_by_itself
from mvnlib.checking.words import Report, describe
from mvnlib.conventions import CONVENTIONS
from mvnlib.differences.evaluation import checked
from mvnlib.differences.reach import alike_units, scale
from mvnlib.differences.schemes import as_noise


@dataclass(frozen=True)
class Verdict:
    """What `check_gradient` found.

    It is true in a condition exactly if the candidate is right. Shown, as by an assertion that failed, it says why.

    Attributes
    ----------
    correct : bool or None
        Whether the candidate is right in the convention it was claimed in; None if the differences cannot tell it
        from 0, from its opposite or from twice itself.
    conventions : tuple of str
        Every convention in which it is right at this point.
    max_error : float
        Largest difference from the table of the claimed convention, relative to that table's largest entry
        (absolute if that is zero, as far as differences can tell), the entries being counted in the lengths over
        which f varies.
    message : str
        The same in words: which entries disagree, by what ratio, what mistake it looks like, in which
        convention it would be right; or how uncertain the differences are, and what would help.
    mistake : str or None
        Key of the mistake in the catalogue `MISTAKES`, if it was recognised.
    """

    correct: bool | None
    conventions: tuple[str, ...]
    max_error: float
    message: str
    mistake: str | None = None

    def __bool__(self) -> bool:
        return self.correct is True

    def __repr__(self) -> str:
        return (
            f"Verdict(correct={self.correct}, conventions={self.conventions}, "
            f"max_error={self.max_error:.2g})\n{self.message}"
        )

    def _repr_html_(self) -> str:
        verdict = {True: "correct", False: "not correct", None: "cannot tell"}[self.correct]
        where = f"right as {', '.join(self.conventions)}" if self.conventions else "right in no convention"
        if self.correct is None and not self.conventions:
            where = "differences know too little here"
        return (
            f'<div class="mvn-verdict"><p><strong>{verdict}</strong> ({where}; '
            f"largest error {self.max_error:.2g})</p><p>{escape(self.message)}</p></div>"
        )


@quiet_around_functions
def check_gradient(
    f: Callable[..., Any],
    candidate: ArrayLike | Callable[..., Any],
    at: ArrayLike,
    convention: str = "entrywise",
    *,
    step: float | None = None,
    noise: ArrayLike | None = None,
    rtol: float = 0.0,
) -> Verdict:
    """Judge a claimed gradient of f at a point, by differences of f alone.

    The candidate is compared with f moved in single entries (`entrywise`), with f moved in S_ij and S_ji
    together (`free`; half of it off the diagonal is `frobenius`), and the pairing of each table with random
    directions is compared with f moved along them. A table is right if every entry is within 10 times the
    error estimate of `richardson` differences: about 1e-11 of the largest entry at condition number 10, 1e-6
    at 1e6, 1e-5 for an f in single precision. The noise in the values of f is measured, and so are the lengths
    over which f varies in each coordinate.

    There are three verdicts. Where the noise is so large that an entry of the candidate could as well be 0, have
    the other sign or be twice as large, the differences cannot tell, and the verdict is neither right nor wrong.

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
    step : float, optional
        The longest step of the differences, for all entries; by default found for each.
    noise : float or array of the shape of f(at), optional
        How far the values of f are off (one standard deviation); by default measured.
    rtol : float
        How far the candidate may be off beyond what differences allow, as a share of its largest entry. A float32
        candidate, or one whose values are those of float32, is allowed its own precision without it.

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
    Cost: 10 to 20 values of f for each entry of the point, and some 200 more, most of them along random directions;
    several times as many where f is noisy or its coordinates are of unlike size.

    References
    ----------
    Moré and Wild (2011) for the noise.

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
    _require_function(f, candidate, at)
    S = as_real("at", at)
    if S.ndim > 2:
        raise ValueError(f"at must be a number, a vector or a matrix, but its shape is {S.shape}")
    symmetric = is_nearly_symmetric(S)
    if convention != "entrywise" and not symmetric:
        raise ValueError(
            f"the {convention} table is a derivative in the space of symmetric matrices, but at is not one; "
            'use convention="entrywise"'
        )
    if symmetric:
        S = S / 2 + S.T / 2
    value = checked(f(S.copy()), "S").copy()
    if (again := moves_by_itself(f, S, value)) is not None:
        raise ValueError(
            f"f must give one value at one point, but it gives {value} and then {again}; if it draws random numbers, "
            "hold them fixed"
        )
    known = _settings(step, noise, rtol, value)
    given = candidate(S.copy()) if callable(candidate) else candidate
    claimed = as_real("candidate", given, shape=S.shape + value.shape)
    found = facts(f, S, symmetric, known).allowing(_precision(given, claimed, S))
    return _judged(found, claimed, convention, S, f, candidate)


def _judged(
    found: Facts,
    claimed: Array,
    convention: str,
    S: Array,
    f: Callable[..., Any],
    candidate: ArrayLike | Callable[..., Any],
) -> Verdict:
    judgements = found.judges(claimed)
    finding = judgements[convention]
    referee = found.referee_of(convention, claimed)
    right_in = tuple(name for name in CONVENTIONS if judgements.get(name) == "right")
    mistake = None
    if finding == "wrong" and not referee.accepts(claimed).all():
        mistake = recognise(claimed, referee.table, S, convention, referee.units, tolerance=referee.tolerance)
    beside: Literal["", "transpose", "wrong"] = ""
    if finding == "right" and convention == "entrywise" and "free" in judgements and callable(candidate):
        beside = "" if found.judged_on_extension else _beside_symmetry(f, candidate, S)
    report = Report(found, referee, claimed, convention, finding, right_in, mistake, beside, S)
    correct = {"right": True, "wrong": False, "unknown": None}[finding]
    return Verdict(
        correct, right_in, referee.error(claimed), describe(report), mistake.key if mistake else None
    )


def _require_function(f: Any, candidate: Any, at: Any) -> None:
    if callable(f):
        return
    if callable(at):
        raise TypeError(
            "at must be the point, but it is a function: the order is check_gradient(f, candidate, at)"
        )
    if callable(candidate):
        raise TypeError(
            "f must be a function, but it is an array and candidate is a function: are the two swapped? The order is "
            "check_gradient(f, candidate, at)"
        )
    raise TypeError(f"f must be a function, not {f!r}")


def _settings(step: Any, noise: Any, rtol: Any, value: Array) -> Settings:
    rtol = as_number("rtol", rtol)
    if rtol < 0:
        raise ValueError(f"rtol must not be negative, but it is {rtol}")
    known = None if noise is None else as_noise(noise, value.astype(float))
    return Settings(None if step is None else as_positive("step", step), known, rtol)


def _precision(given: Any, claimed: Array, S: Array) -> float:
    """How far a candidate computed in a lower precision may be off, as a share of its largest entry.

    One that equals its own float32 rounding counts as computed in float32, as after ``.tolist()`` or ``.item()``.
    Solving with S costs as many digits as its condition number has.
    """
    kind = getattr(given, "dtype", None)
    eps = 0.0
    if isinstance(kind, np.dtype) and kind.kind == "f" and kind.itemsize < 8:
        eps = float(np.finfo(kind).eps)
    elif np.array_equal(claimed.astype(np.float32), claimed) and not _are_small_integers(claimed):
        eps = float(np.finfo(np.float32).eps)
    if not eps:
        return 0.0
    length, size = scale(S / alike_units(S)) if S.ndim == 2 and S.shape[0] == S.shape[1] else (1.0, 1.0)
    return min(eps * max(8.0, 4 * size / length), max(1e-3, 8 * eps))


def _are_small_integers(claimed: Array) -> bool:
    """Whether a table may well be exact, and is in single precision by chance."""
    return bool(np.array_equal(np.round(claimed), claimed) and np.abs(claimed).max() < 1e6)


def _beside_symmetry(
    f: Callable[..., Any], candidate: Callable[..., Any], S: Array
) -> Literal["", "transpose", "wrong"]:
    """Try a candidate that is right at a symmetric point at a neighbour that is not symmetric."""
    noise = np.random.default_rng(SEED).standard_normal(S.shape)
    near = S + 0.25 * scale(S)[0] * noise / float(np.linalg.norm(noise))
    try:
        with probing():
            given = candidate(near.copy())
            found = facts(f, near, False, Settings())
            claimed = as_real("candidate", given, shape=found.referees["entrywise"].table.shape)
            referee = found.allowing(_precision(given, claimed, near)).referees["entrywise"]
    except Exception:  # f or the candidate may well refuse such a point
        return ""
    if referee.accepts(claimed).all():
        return ""
    return "transpose" if referee.accepts(claimed.swapaxes(0, 1)).all() else "wrong"
