"""Difference quotients and their error estimates: the numerics under `mvnlib.differences`."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._evaluation import Evaluation
from ._scaling import EPS
from ._validation import Array, is_finite
from .conventions import vech_places

CHUNK = 256 * 1024  # bytes of points handed to f at once: beyond it one big stack is slower than several

#: No binary fractions, of which a sum may round alike.
_RAY = 1e-9 * np.arange(1, 7)

Indices = NDArray[np.intp]


class LostStepError(ValueError):
    """A step so small that the points it should lead to are the same in floating point."""

    def __init__(self, step: float) -> None:
        super().__init__(f"step {step:g} is lost in rounding beside the entries of S; pass a larger step")


class _NoDrop:
    """NumPy's warning of a dropped imaginary part is an error, from the first that enters to the last that leaves.

    Filters of warnings are one for all threads: would each put back what it found, one could put back another's.
    """

    def __init__(self) -> None:
        self.inside, self.lock, self.filters = 0, Lock(), warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
            self.inside += 1

    def __exit__(self, *error: Any) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.filters.__exit__(*error)


_IMAGINARY_PARTS_MATTER = _NoDrop()


@dataclass(frozen=True, eq=False)
class Rule:
    """df = sum over levels of value[l] q[l], q[l] the quotient at step halvings[l] h; error likewise."""

    order: int
    two_sided: bool
    halvings: Array
    value: Array
    error: Array


@cache
def _levels(rule: Rule, want_error: bool) -> tuple[Array, Array, Array]:
    """Return offsets (in units of h), weights of the value and weights of the error."""
    used = (rule.value != 0) | want_error
    t = rule.halvings[used]
    return np.concatenate([t, -t]) if rule.two_sided else t, rule.value[used], rule.error[used]


def extrapolation(levels: int) -> Array:
    """Weights that cancel h^2, h^4, ... in central differences at h, h/2, h/4, ..."""
    squares = 4.0 ** -np.arange(levels)
    return np.array([np.prod([b / (b - a) for b in squares if b != a]) for a in squares])


_TWO = np.array([1.0, 0.5])
_FIVE = np.array([1.0, 0.5, 0.25, 0.125, 0.0625])
_BEST, _SECOND = extrapolation(5), np.concatenate([[0.0], extrapolation(4)])
RULES = {
    "forward": Rule(1, False, _TWO, np.array([1.0, 0.0]), np.array([2.0, -2.0])),
    "central": Rule(2, True, _TWO, np.array([1.0, 0.0]), np.array([4.0, -4.0]) / 3),
    "richardson": Rule(10, True, _FIVE, _BEST, _BEST - _SECOND),
}


def scale(S: Array) -> tuple[float, float]:
    """Return the length over which functions of S vary, and the size of its entries."""
    size = float(np.abs(S).max()) or 1.0
    if S.ndim < 2 or min(S.shape) < 2:
        return size, size
    symmetric = _is_symmetric(S)
    singular = np.linalg.eigvalsh(S) if symmetric else np.linalg.svd(S, compute_uv=False)
    sizes = [abs(value) for value in singular.tolist()]
    smallest, largest = min(sizes), max(sizes)
    return (smallest if smallest > max(S.shape) * EPS * largest else size), size


def length(E: Array) -> float:
    """The Frobenius norm of a direction, whose squares may be no floats."""
    largest = float(np.abs(E).max())
    return largest * float(np.linalg.norm(E / largest)) if largest else 0.0


def in_range(slopes: Array) -> Array:
    """The slopes of f, if they are floats."""
    if not is_finite(slopes):
        raise ValueError("f changes so fast, or its direction is so long, that the derivative is no float")
    return slopes


def step_for(S: Array, scheme: str, eps: float) -> float:
    """Return the default step, see `mvnlib.differences.default_step`."""
    reach, size = scale(S)
    if scheme == "complex":
        relative = 2.0**-64
    elif scheme == "richardson":
        relative = 0.125
    else:
        noise = eps * max(size / reach, 1.0)
        relative = min(noise ** (1 / (RULES[scheme].order + 1)), 0.125)
    if not reach * relative > 0:
        raise ValueError(f"S is so small, {size:g}, that a step beside it is no float; change its units")
    return float(2.0 ** np.floor(np.log2(reach * relative)))


def refined(slopes_at: Callable[[float], tuple[Array, Array]], h: float) -> tuple[Array, Array]:
    """Return slopes at step h; where their errors are large, at the finer step of smallest error (Ridders)."""
    slopes, errors = slopes_at(h)
    for finer in (h / 32, h / 1024):
        if (errors <= 1e-6 * np.abs(slopes).max()).all():
            break
        try:
            others, other_errors = slopes_at(finer)
        except LostStepError:  # then what there is, is the best there is
            break
        better = other_errors < errors
        slopes, errors = np.where(better, others, slopes), np.where(better, other_errors, errors)
    return slopes, errors


def slopes_of_moves(
    g: Evaluation, S: Array, first: Indices, second: Indices, h: float, rule: Rule, want_error: bool
) -> tuple[Array, Array]:
    """Return slopes (k, *f.shape) along k moves, of entry first[k] together with second[k], and errors."""
    offsets, value, error = _levels(rule, want_error)
    offsets = h * offsets
    levels = value.size
    flat, out = S.ravel(), np.zeros((2, first.size, *g.at.shape))
    per_chunk = max(1, CHUNK // (8 * offsets.size * max(S.size, g.at.size)))
    for start in range(0, first.size, per_chunk):
        a, b = first[start : start + per_chunk], second[start : start + per_chunk]
        entries = flat[a] + offsets[:, None]
        points = np.empty((offsets.size, a.size, S.size))
        points[:] = flat
        columns = np.arange(a.size)
        points[:, columns, a] = entries
        points[:, columns, b] = entries

        def describe(k: int, a: Indices = a, b: Indices = b) -> str:
            move = k % a.size
            return _moved(S, int(a[move]), int(b[move]), float(offsets[k // a.size]))

        values = g(points.reshape(-1, *S.shape), describe).reshape(offsets.size, a.size, *g.at.shape)
        # Divide by the increment that floating point made of the step, not by the step.
        behind, origin = (values[levels:], entries[levels:]) if rule.two_sided else (g.at, flat[a])
        increments = entries[:levels] - origin
        if np.count_nonzero(increments) < increments.size:
            raise LostStepError(h)
        quotients = (values[:levels] - behind) / increments.reshape(*increments.shape, *[1] * g.at.ndim)
        out[0, start : start + a.size] = _weighted(value, quotients)
        if want_error:
            out[1, start : start + a.size] = np.abs(_weighted(error, quotients))
    if want_error:
        E = np.zeros(S.size)
        E[first] = E[second] = np.random.default_rng(2).choice([-1.0, 1.0], size=first.size)
        out[1] += _rounding(g, S, E.reshape(S.shape) / max(S.shape, default=1), rule, h)
    return out[0], out[1]


def slope_along(
    g: Evaluation, S: Array, E: Array, h: float, rule: Rule, want_error: bool
) -> tuple[Array, Array]:
    """Return the slope along the direction E, and its error estimate."""
    offsets, value, error = _levels(rule, want_error)
    offsets = h * offsets
    levels = value.size
    points = S + offsets.reshape(-1, *[1] * S.ndim) * E
    values = g(points, lambda k: f"S + {offsets[k]:g} dS")
    behind, width = (values[levels:], 2 * offsets[:levels]) if rule.two_sided else (g.at, offsets)
    quotients = (values[:levels] - behind) / width.reshape(-1, *[1] * g.at.ndim)
    slope = _weighted(value, quotients)
    if not want_error:
        return slope, np.zeros_like(slope)
    return slope, np.asarray(np.abs(_weighted(error, quotients)) + _rounding(g, S, E, rule, h))


def _weighted(weights: Array, quotients: NDArray[Any]) -> NDArray[Any]:
    """Sum over the first axis; tensordot takes longer to begin than there is to do, einsum than one product."""
    if weights.size == 1:
        return np.asarray(weights[0] * quotients[0])
    return np.asarray(np.einsum("l,l...->...", weights, quotients))


def complex_slopes_of_moves(
    g: Evaluation, S: Array, first: Indices, second: Indices, h: float, want_error: bool
) -> tuple[Array, Array]:
    """Return the complex step along k moves, checked against differences, and errors."""
    slopes = np.empty((first.size, *g.at.shape))
    per_chunk = max(1, CHUNK // (16 * max(S.size, g.at.size)))
    for start in range(0, first.size, per_chunk):
        a, b = first[start : start + per_chunk], second[start : start + per_chunk]
        points = np.empty((a.size, S.size), dtype=complex)
        points[:] = S.ravel()
        columns = np.arange(a.size)
        points.imag[columns, a] = h
        points.imag[columns, b] = h
        slopes[start : start + a.size] = _imaginary(g, points.reshape(-1, *S.shape), h)
    # Along all moves at once; and along those with an exact zero, where a small loss would hide among others.
    weights = np.cos(np.arange(1.0, first.size + 1))  # none is zero, no two are alike
    dropped = (slopes == 0).reshape(first.size, -1).any(axis=1)
    for w in (weights, weights * dropped):
        if w.any():
            E = np.zeros(S.size)
            E[first] = E[second] = w
            check_complex(g, S, E.reshape(S.shape), _weighted(w, slopes), h)
    if not want_error:
        return slopes, slopes
    E = np.zeros(S.size)
    E[first] = E[second] = weights
    _, rounding = complex_slope_along(g, S, E.reshape(S.shape), h, want_error=True)
    return slopes, np.zeros_like(slopes) + rounding + g.eps * np.abs(slopes).max(axis=0)


def complex_slope_along(g: Evaluation, S: Array, E: Array, h: float, want_error: bool) -> tuple[Array, Array]:
    """Return the complex step along E, not yet checked, and how far it moves when S moves in its last digits."""
    slope = _imaginary(g, (S + 1j * h * E)[None], h)[0]
    if not want_error:
        return slope, np.zeros_like(slope)
    moved = _imaginary(g, _in_last_digits(S, g.eps) + 1j * h * E, h)
    return slope, np.asarray(np.abs(moved - slope).max(axis=0) + 4 * g.eps * np.abs(slope).max())


def check_complex(g: Evaluation, S: Array, E: Array, slope: Array, step: float) -> None:
    """Compare with differences along a direction: dropping the imaginary part raises no error of its own."""
    h = step_for(S, "richardson", g.eps) / length(E)
    referee, error = refined(lambda t: slope_along(g, S, E, t, RULES["richardson"], want_error=True), h)
    gap, allowed = np.abs(slope - referee), 10 * error + 1e-9 * np.abs(referee)
    if (gap <= allowed).all():
        return
    default = step_for(S, "complex", g.eps) / length(E)
    if step > 2.0**20 * default:  # below, nothing is truncated
        at_default, _ = complex_slope_along(g, S, E, default, want_error=False)
        if (np.abs(at_default - referee) <= allowed).all():
            raise ValueError(
                f"step {step:g} is too large for the complex step: along one direction it is off by "
                f"{gap.max():.1g}; leave step out, for however small it is no digit is lost"
            )
    k = np.unravel_index(np.argmax(gap - 10 * error), gap.shape)
    raise ValueError(
        f"the complex step fails for this f: along one direction it gives {slope[k]:.6g}, but differences "
        f"give {referee[k]:.6g}. f drops or conjugates imaginary parts, as Cholesky, eigh, eigvalsh, the "
        "second value of slogdet, abs, norm, vdot and conj do without an error, or crosses a branch cut, or "
        f"turns many times within the step {h:.2g} of the differences; "
        'use scheme="richardson", or write f with det, inv, solve and mvnlib.ops.logdet'
    )


def _imaginary(g: Evaluation, points: NDArray[Any], h: float) -> Array:
    with _IMAGINARY_PARTS_MATTER:
        try:
            values = g(points, lambda k: "a complex point S + i h E")
        except (ValueError, TypeError) as error:
            raise ValueError(
                f'the complex step needs an f that takes complex matrices; use scheme="richardson". {error}'
            ) from error
    return np.asarray(values.imag / h, dtype=float)


def _rounding(g: Evaluation, S: Array, E: Array, rule: Rule, h: float) -> Array:
    """Rounding error of a slope: how far f moves when S moves in its last digits, divided by the steps.

    What f adds and takes away again, as log(1e50) + log(1e-50), is rounded too coarsely for that to show. It
    shows along a ray, where f is smooth, in third differences: through S, and through a point as near to it
    along E as the least of the steps, which weighs most.
    """
    values = g(_in_last_digits(S, g.eps), lambda k: "S moved in its last digits").astype(float)
    noise = np.abs(values - g.at).max(axis=0) + g.eps * np.abs(g.at)
    for near in (S, S + h * rule.halvings.min() * E):
        ray = (1 + _RAY.reshape(-1, *[1] * S.ndim)) * near
        third = np.diff(g(ray, lambda k: f"S moved by less than {h:g}").astype(float), 3, axis=0)
        noise += np.abs(third).max(axis=0) / 3
    amplification = (np.abs(rule.value) / rule.halvings).sum() / h
    return np.asarray(noise * amplification * (1 if rule.two_sided else 2))


def _in_last_digits(S: Array, eps: float) -> Array:
    """Return four copies of S moved at random, as far as a backward stable program may move it."""
    signs = 2.0 * np.random.default_rng(0).integers(2, size=(4, *S.shape)) - 1
    if _is_symmetric(S):
        rows, columns = vech_places(len(S))
        signs[:, columns, rows] = signs[:, rows, columns]
    # Backward errors are of the size of the largest entry; zeros stay, for they may be the structure of S.
    return np.asarray(S + signs * (eps * float(np.abs(S).max())) * (S != 0))


def _is_symmetric(S: Array) -> bool:
    return S.ndim == 2 and S.shape[0] == S.shape[1] and not np.count_nonzero(S != S.T)


def _moved(S: Array, a: int, b: int, offset: float) -> str:
    names = []
    for k in dict.fromkeys((a, b)):
        index = ", ".join(str(int(i)) for i in np.unravel_index(k, S.shape))
        names.append(f"S[{index}]" if index else "S")
    return f"S with {' and '.join(names)} moved by {offset:g}"
