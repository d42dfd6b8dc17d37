"""Derivatives from values alone: finite differences and the complex step.

Two things decide how good a difference is. The step must follow the distance to the nearest singular matrix
(for a positive definite S its smallest eigenvalue), not the size of the entries: at condition number 1e6 a
step scaled by the entries leaves the cone, silently. And the rounding of f, about eps times that condition
number, is divided by the step; so the best step grows with the condition number, relative to that distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from mvnlib._scaling import EPS
from mvnlib._validation import (
    Array,
    as_flag,
    as_positive,
    as_real,
    as_symmetric,
    one_of,
    probing,
    quiet,
    quiet_around_functions,
)
from mvnlib._values import Value
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.differences.circle import bare_complex_slope
from mvnlib.differences.evaluation import Evaluation
from mvnlib.differences.moves import Direction
from mvnlib.differences.quotients import RULES, slopes, step_for
from mvnlib.differences.reach import norm, scale
from mvnlib.differences.tables import quick_table, slope_along, table_of_entries

SCHEMES = (*RULES, "complex")


@quiet
def default_step(S: ArrayLike, scheme: str = "central", *, eps: float = EPS) -> float:
    r"""Return the step for a unit direction at S, a power of two so that most S + h are exact.

    With r the distance to the nearest singular matrix (the smallest eigenvalue of a positive definite S, the
    smallest singular value of any other matrix) and :math:`\kappa = \max |S_{ij}| / r`:

    ==============  =======================================
    ``forward``     :math:`r\, (\epsilon\kappa)^{1/2}`
    ``central``     :math:`r\, (\epsilon\kappa)^{1/3}`
    ``richardson``  :math:`r / 8`, the largest of five steps
    ``complex``     :math:`r\, 2^{-64}`
    ==============  =======================================

    For numbers, vectors and numerically singular matrices r is the largest entry, or 1 if all are zero.
    Forward and central balance truncation :math:`(h / r)^p` against rounding :math:`\epsilon\kappa\, r / h`
    and never exceed r / 8.

    So f is taken to vary over the length r, as functions of a covariance matrix do. One that turns faster, such
    as sin(S) at S = 1e6, is not seen by differences at these steps, nor by their error estimates: pass a step.

    Parameters
    ----------
    S : array of at most two axes
        The point.
    scheme : {"forward", "central", "richardson", "complex"}
    eps : float
        Relative rounding error of f.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        For bad `S`, an unknown scheme, an `eps` that is not a positive number, or if `S` is so small that the
        step is no float.

    Notes
    -----
    Cost: the eigenvalues or singular values of S, :math:`O(d^3)`.

    Examples
    --------
    A variance of 1e-6 beside one of 1 wants a much smaller step, for both:

    >>> default_step(np.eye(2)), default_step(np.diag([1.0, 1e-6]))
    (3.814697265625e-06, 4.656612873077393e-10)
    """
    one_of("scheme", scheme, SCHEMES)
    return step_for(_point(S), scheme, as_positive("eps", eps))


@overload
def fd_gradient(
    f: Callable[..., Any],
    S: ArrayLike,
    convention: str = ...,
    scheme: str = ...,
    step: float | None = ...,
    *,
    return_error: Literal[False] = ...,
    batched: bool | None = ...,
    noise: ArrayLike | None = ...,
) -> Array: ...
@overload
def fd_gradient(
    f: Callable[..., Any],
    S: ArrayLike,
    convention: str = ...,
    scheme: str = ...,
    step: float | None = ...,
    *,
    return_error: Literal[True],
    batched: bool | None = ...,
    noise: ArrayLike | None = ...,
) -> tuple[Array, Array]: ...
@quiet_around_functions
def fd_gradient(
    f: Callable[..., Any],
    S: ArrayLike,
    convention: str = "entrywise",
    scheme: str = "central",
    step: float | None = None,
    *,
    return_error: bool = False,
    batched: bool | None = None,
    noise: ArrayLike | None = None,
) -> Array | tuple[Array, Array]:
    r"""Differentiate f with respect to every entry of S, by differences of its values.

    =============  ========================================================================
    ``entrywise``  :math:`\frac{d}{dt} f(S + t E_{ij})`
    ``free``       :math:`\frac{d}{dt} f(S + t (E_{ij} + E_{ji}))` off the diagonal,
                   :math:`\frac{d}{dt} f(S + t E_{ii})` on it
    ``frobenius``  half the free table off the diagonal
    =============  ========================================================================

    Parameters
    ----------
    f : callable
        Function of an array shaped like `S`, with a number or an array as value. It is only ever given
        copies.
    S : array of at most two axes
        The point. In the `frobenius` and `free` conventions a symmetric matrix.
    convention : {"entrywise", "frobenius", "free"}
        Which table; see `mvnlib.conventions`.
    scheme : {"forward", "central", "richardson", "complex"}
        ``forward`` and ``central`` are of order 1 and 2; ``richardson`` extrapolates central differences at
        h, h/2, ..., h/16 to order 10; ``complex`` is Im f(S + i h E) / h, exact to rounding if f is analytic
        and computed without conjugation.
    step : float, optional
        The step h (for richardson the largest), for every entry. By default each entry has its own, which follows
        the noise of f and the length over which f varies: for a symmetric matrix what `default_step` says, with
        units of the coordinates in which the variances are alike; for vectors and general matrices it is found
        from f. Steps that leave the domain of f are shortened.
    return_error : bool
        Also return an estimate of the error: truncation by comparing two steps, plus five standard errors of the
        noise.
    batched : bool, optional
        Whether f takes stacks (k, d, d) and returns (k, ...). By default this is tried out on a stack of few.
    noise : float or array of the shape of f(S), optional
        How far values of f are off, one standard deviation. By default it is measured: the high differences of nine
        values along a line through S have the size of the noise, at several spacings if need be.

    Returns
    -------
    array of shape S.shape + f(S).shape
        With ``return_error=True`` a pair of such arrays, table and error estimate.

    Raises
    ------
    ValueError, TypeError
        For bad input; if f has no finite value, or values of another shape, at a moved point; if the complex
        step meets an f that is not analytic, as it is wherever f drops an imaginary part: seen on a circle of
        points around S.
    numpy.linalg.LinAlgError
        If f raises it at a moved point; the message names entry and step.

    Notes
    -----
    Cost: S.size values of f (forward, complex), 2 S.size (central), 10 S.size (richardson), and some ten to thirty
    more to measure the noise, to try out stacks and to prove the complex step. With errors, and for vectors and
    general matrices, twice as many with forward and central, and 10 for each entry and each further step that is
    tried. Memory is bounded by chunks of 256 kB of points.

    References
    ----------
    Squire and Trapp (1998) for the complex step; Ridders (1982) for extrapolated differences; Moré and Wild (2011)
    for the noise.

    Examples
    --------
    The determinant of a symmetric matrix, its entries moved one at a time and in pairs:

    >>> S = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> fd_gradient(np.linalg.det, S).round(6)
    array([[ 3., -1.],
           [-1.,  2.]])
    >>> fd_gradient(np.linalg.det, S, "free").round(6)
    array([[ 3., -2.],
           [-2.,  2.]])
    """
    one_of("convention", convention, CONVENTIONS)
    one_of("scheme", scheme, SCHEMES)
    tied = convention != "entrywise"
    if tied:
        X = as_symmetric("S", S)
        X = X / 2 + X.T / 2
    else:
        X = _point(S)
    if not isinstance(batched, bool | np.bool_ | None):
        raise TypeError(f"batched must be True, False or None, not {batched!r}")
    as_flag("return_error", return_error)
    g = Evaluation(f, X, batched)
    if step is None and noise is None and not return_error:
        quick = quick_table(g, X, tied, scheme)
        if quick is not None:
            return convert_gradient(quick, "free", "frobenius") if convention == "frobenius" else quick
    step = None if step is None else as_positive("step", step)
    table = table_of_entries(g, X, tied, scheme, step, as_noise(noise, g.at), bool(return_error))
    value, error = table.value, table.error
    if convention == "frobenius":
        value, error = (convert_gradient(part, "free", "frobenius") for part in (value, error))
    return (value, error) if return_error else value


@quiet_around_functions
def fd_differential(
    f: Callable[..., Any],
    S: ArrayLike,
    dS: ArrayLike,
    scheme: str = "central",
    step: float | None = None,
    *,
    return_error: bool = False,
    noise: ArrayLike | None = None,
) -> Any:
    r"""Differentiate f along one direction.

    .. math:: df(S)[dS] = \frac{d}{dt} f(S + t\, dS) \Big|_{t = 0}

    Whether the result knows about symmetry is decided by `dS` alone: no convention is needed.

    Parameters
    ----------
    f : callable
        Function of an array shaped like `S`, with a number or an array as value. It is only ever given
        copies.
    S, dS : arrays of the same shape, of at most two axes
        Point and direction.
    scheme : {"forward", "central", "richardson", "complex"}
        As in `fd_gradient`.
    step : float, optional
        The largest t. By default `default_step` divided by the Frobenius norm of `dS`.
    return_error : bool
        Also return an estimate of the error, as in `fd_gradient`.
    noise : float or array of the shape of f(S), optional
        As in `fd_gradient`.

    Returns
    -------
    float, or an array of the shape of f(S)
        With ``return_error=True`` a pair, differential and error estimate.

    Raises
    ------
    ValueError, TypeError, numpy.linalg.LinAlgError
        As `fd_gradient`.

    Notes
    -----
    Cost: 11 values of f (forward), 12 (central), 20 (richardson), 19 (complex), of which nine measure the noise, or
    17 prove that f is analytic; several times as many where f is noisy, or varies over another length than S says.

    Examples
    --------
    The inverse at the identity, where its differential is -dS:

    >>> fd_differential(np.linalg.inv, np.eye(2), [[1, 2], [3, 4]], "complex")
    array([[-1., -2.],
           [-3., -4.]])
    """
    one_of("scheme", scheme, SCHEMES)
    as_flag("return_error", return_error)
    X = _point(S)
    E = as_real("dS", dS, shape=X.shape)
    g = Evaluation(f, X, batched=False)
    step = None if step is None else as_positive("step", step)
    if not E.any():
        zero = np.zeros(g.at.shape)[()]
        return (zero, zero) if return_error else zero
    found = slope_along(g, X, E, scheme, step, as_noise(noise, g.at), bool(return_error))
    value, error = (float(part) if part.ndim == 0 else part for part in (found.value, found.error))
    return (value, error) if return_error else value


@dataclass(frozen=True, eq=False)
class StepSweep(Value):
    """The error of difference schemes against the step: the data of the V-curve.

    Attributes
    ----------
    steps : (k,) array
        The steps t in f(S + t dS).
    errors : dict
        For each scheme the (k,) errors, the largest over the values of f, relative to the largest entry of
        `exact` (or absolute if that is zero). NaN where f could not be evaluated: the step has left its
        domain.
    exact : float or array
        The differential compared with.
    best : dict
        For each scheme the step of smallest error, NaN if there is none.
    referee : str
        Where `exact` comes from.
    """

    steps: Array
    errors: dict[str, Array]
    exact: Any
    best: dict[str, float]
    referee: str = field(default="given")


@quiet_around_functions
def step_sweep(
    f: Callable[..., Any],
    S: ArrayLike,
    dS: ArrayLike,
    steps: ArrayLike | None = None,
    exact: ArrayLike | None = None,
    schemes: Sequence[str] = ("forward", "central", "complex"),
    *,
    noise: ArrayLike | None = None,
) -> StepSweep:
    """Measure the error of each scheme over many steps: truncation falls with h, rounding rises as 1 / h.

    Nothing is hidden: where a step leaves the domain of f the error is NaN, and a complex step that f makes
    useless by dropping imaginary parts shows its relative error of 1.

    Parameters
    ----------
    f, S, dS
        As in `fd_differential`.
    steps : (k,) array, optional
        Positive steps. By default 61, from 1e-16 to 1 in the logarithm, times the distance to the nearest
        singular matrix over the norm of `dS`.
    exact : float or array, optional
        The true df(S)[dS]. By default the best referee at hand: the complex step where it passes its check,
        else richardson; the field `referee` says which.
    schemes : sequence of {"forward", "central", "richardson", "complex"}
    noise : float or array of the shape of f(S), optional
        As in `fd_gradient`: for the referee where no `exact` is given.

    Returns
    -------
    StepSweep

    Raises
    ------
    ValueError, TypeError
        For bad input.

    Notes
    -----
    Cost: one to ten values of f for each step and scheme.

    Examples
    --------
    >>> sweep = step_sweep(np.exp, 1.0, 1.0, [1e-13, 1e-8, 1e-5, 1e-2])
    >>> sweep.best["forward"], sweep.best["central"]
    (1e-08, 1e-05)
    >>> bool(sweep.errors["complex"][0] < 1e-15)  # the complex step subtracts nothing
    True
    """
    X = _point(S)
    E = as_real("dS", dS, shape=X.shape)
    if not E.any():
        raise ValueError("dS is zero; a sweep needs a direction")
    if isinstance(schemes, str) or not isinstance(schemes, Iterable):
        raise TypeError(
            f"schemes must be a sequence of names, such as ('forward', 'central'), not {schemes!r}"
        )
    schemes = [one_of("schemes", scheme, SCHEMES) for scheme in schemes]
    if not schemes:
        raise ValueError("schemes is empty; name one or more of " + ", ".join(map(repr, SCHEMES)))
    if steps is None:
        h = np.logspace(-16, 0, 61) * scale(X)[0] / norm(E)
    else:
        h = as_real("steps", steps, ndim=1).copy()
        as_positive("the smallest of steps", h.min())
    g = Evaluation(f, X, batched=False)
    if exact is None:
        truth, referee = _referee(f, X, E, noise)
    else:
        truth, referee = as_real("exact", exact, shape=g.at.shape), "given"
    size = float(np.abs(truth).max()) or 1.0

    def error(scheme: str, t: float) -> float:
        try:
            if scheme == "complex":
                slope = bare_complex_slope(g, X, E, t)
            else:
                moves, h = Direction(g, X, E), np.array([t])
                slope = slopes(moves, np.arange(1), h, RULES[scheme], None, choose=False).value[0]
        except (ValueError, TypeError):  # LinAlgError is a ValueError
            return np.nan
        return float(np.abs(slope - truth).max()) / size

    with probing():  # the log of a negative number: the point of large steps
        errors = {scheme: np.array([error(scheme, float(t)) for t in h]) for scheme in schemes}
    best = {s: float(h[np.nanargmin(e)]) if np.isfinite(e).any() else np.nan for s, e in errors.items()}
    return StepSweep(h, errors, truth[()], best, referee)


def _referee(f: Callable[..., Any], S: Array, dS: Array, noise: ArrayLike | None) -> tuple[Array, str]:
    try:
        return np.asarray(fd_differential(f, S, dS, "complex")), "complex step"
    except (ValueError, TypeError):
        return np.asarray(fd_differential(f, S, dS, "richardson", noise=noise)), "richardson"


def _point(S: ArrayLike) -> Array:
    X = as_real("S", S)
    if X.ndim > 2:
        raise ValueError(f"S must be a number, a vector or a matrix, but its shape is {X.shape}")
    return X


def as_noise(noise: ArrayLike | None, value: Array) -> Array | None:
    """The noise that a caller states, for each component of a value of f; never below its rounding."""
    if noise is None:
        return None
    array = as_real("noise", noise)
    if (array < 0).any():
        raise ValueError(f"noise must not be negative, but it is {array.min()}")
    if array.ndim and array.shape != value.shape:
        raise ValueError(
            f"noise must be a number or have the shape {value.shape} of f, but its shape is {array.shape}"
        )
    return np.maximum(array, EPS / 4 * np.abs(value))
