r"""The complex step, and the proof that it may be believed.

Im f(S + i h E) / h is exact to rounding if f is analytic, and silently wrong if f drops or conjugates an imaginary
part, be it of one term among many.  On a circle S + rho e^{i a} E an analytic f has no Fourier coefficient of a
negative order; a part of f that is a function of the real part of its argument alone has as much of order -1 as
of order 1, whatever else is added to it.
"""

from __future__ import annotations

import warnings
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS, TINY
from mvnlib._validation import Array, is_nearly_symmetric, probing
from mvnlib.conventions import vech_places
from mvnlib.differences.evaluation import Evaluation
from mvnlib.differences.moves import CHUNK, Indices
from mvnlib.differences.reach import Reach, alike_units, norm

#: Points on the whole circle; f is real on the real line, so half of them will do.
_POINTS = 32
_ANGLES = 2 * np.pi * np.arange(_POINTS // 2 + 1) / _POINTS
#: Radii tried, as shares of the length over which f is taken to vary.
_RADII = 2.0 ** -np.array([2.0, 5, 9, 14, 20])
_ORDERS = np.arange(14)
_SHARES = np.where((_ANGLES == 0) | (np.pi == _ANGLES), 1.0, 2.0) / _POINTS
_COSINES = np.cos(np.outer(_ORDERS, _ANGLES)) * _SHARES
_SINES = np.sin(np.outer(_ORDERS, _ANGLES)) * _SHARES
_LOST = slice(1, 5)  # orders -1 to -4: there a dropped part shows
_NOISE = slice(9, 14)  # orders -9 to -13: there neither it nor the aliases of an analytic function do


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


def complex_slopes(
    g: Evaluation,
    S: Array,
    first: Indices,
    second: Indices,
    reach: Reach,
    step: float | None,
    want_error: bool,
) -> tuple[Array, Array]:
    """Return the complex step along moves of the entries first[k] with second[k], proved on circles, and errors."""
    lengths = reach.lengths.ravel()[first]
    h = lengths * 2.0**-64 if step is None else np.full(first.size, step)
    if not h.min() > 0:
        raise ValueError("S is so small that a step beside it is no float; change its units")
    slopes = np.empty((first.size, *g.at.shape))
    per_chunk = max(1, CHUNK // (16 * max(S.size, g.at.size)))
    for start in range(0, first.size, per_chunk):
        part = slice(start, start + per_chunk)
        a, b = first[part], second[part]
        points = np.empty((a.size, S.size), dtype=complex)
        points[:] = S.ravel()
        columns = np.arange(a.size)
        points.imag[columns, a] = h[part]
        points.imag[columns, b] = h[part]
        slopes[part] = _imaginary(g, points.reshape(-1, *S.shape)) / h[part].reshape(-1, *[1] * g.at.ndim)
    # Along all moves at once; and along those with an exact zero, where a small loss would hide among others.
    weights = np.cos(np.arange(1.0, first.size + 1)) * lengths / max(S.shape, default=1)
    nothing = (slopes == 0).reshape(first.size, -1).any(axis=1)
    hidden = np.zeros(g.at.shape)
    for w in (weights, weights * nothing):
        if w.any():
            proof = _prove(
                g,
                S,
                _spread(S, first, second, w),
                np.tensordot(w, slopes, 1),
                step,
                float((h / lengths).max()),
            )
            hidden = np.maximum(hidden, proof)
    if not want_error:
        return slopes, slopes
    rounding = _move_of_slope(
        g, S, _spread(S, first, second, weights), np.tensordot(weights, slopes, 1), 2.0**-64
    )
    units = lengths.reshape(-1, *[1] * g.at.ndim)
    return slopes, (rounding + hidden + EPS * np.abs(slopes * units).max(axis=0)) / units


def complex_slope_along(
    g: Evaluation, S: Array, E: Array, length: float, step: float | None, want_error: bool
) -> tuple[Array, Array]:
    """Return the complex step along E, proved on a circle, and its error; f varies over ``length`` along E."""
    h = length * 2.0**-64 if step is None else step
    slope = bare_complex_slope(g, S, E, h)
    hidden = _prove(g, S, E * length, slope * length, step, h / length)
    if not want_error:
        return slope, np.zeros_like(slope)
    return slope, _move_of_slope(g, S, E, slope, h) + hidden / length


def circle_slopes(
    g: Evaluation, S: Array, first: Indices, second: Indices, reach: Reach
) -> tuple[Array, Array]:
    """Slopes along moves from values on two circles each, and their errors; ValueError where f takes no such points.

    Along the real axis f changes by the coefficients of the orders 1 and -1 together, divided by the radius: that is
    true of any f that is smooth as a function of two real variables, whether it drops imaginary parts or not.  In an
    analytic f nothing is truncated, so the circle may be wide; of other parts the second radius tells what is.  On a
    circle of 32 points the noise counts far less than on a line.
    """
    slopes, errors = np.empty((2, first.size, *g.at.shape))
    for k, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        E = _spread(S, np.array([a]), np.array([b]), np.array([float(reach.lengths.flat[a])]))
        wide, narrow = (_circle(g, S, E, radius) for radius in (0.25, 0.125))
        length = float(reach.lengths.flat[a])
        slopes[k] = wide.real_slope / length
        errors[k] = (2 * np.abs(wide.real_slope - narrow.real_slope) + wide.hidden) / length
    # What is rounded alike at all points of a circle shows nowhere on it: the slope is that of a matrix near by.
    return slopes, errors + EPS * reach.condition * np.abs(slopes)


def bare_complex_slope(g: Evaluation, S: Array, E: Array, h: float) -> Array:
    """Return Im f(S + i h E) / h, whatever it is worth."""
    return np.asarray(_imaginary(g, (S + 1j * h * E)[None])[0] / h)


def _move_of_slope(g: Evaluation, S: Array, E: Array, slope: Array, h: float) -> Array:
    """How far the slope along E moves when S moves in its last digits."""
    moved = _imaginary(g, _in_last_digits(S) + 1j * h * E) / h
    return np.asarray(4 * np.abs(moved - slope).max(axis=0) + 4 * EPS * np.abs(slope).max())


def _prove(g: Evaluation, S: Array, E: Array, slope: Array, step: float | None, share: float) -> Array:
    """Refuse a slope along E unless f is shown analytic there and has this slope; return what noise could hide of it.

    E is as long as f may vary, and ``share`` is the step as a part of that length.
    """
    least: _Circle | None = None
    shown = np.inf  # the least loss that some circle shows
    for radius in _RADII:
        try:
            with probing():
                circle = _circle(g, S, E, radius)
        except (ValueError, TypeError) as error:  # the domain ends within the circle
            refusal = error
            continue
        # A small circle sees no more than the noise that it divides by its radius: it cannot clear f of what a larger
        # one has shown, unless it sees much closer than that.
        if not circle.is_analytic:
            shown = min(shown, circle.share)
        if least is None or circle.share < (
            least.share if circle.is_analytic is least.is_analytic else shown / 2
        ):
            least = circle
        if least.is_analytic:
            break
    if least is None:
        raise refusal
    if least.is_analytic:
        gap = np.abs(least.slope - slope)
        if (gap <= 5 * least.hidden + 1e-9 * np.abs(least.slope)).all():
            return least.hidden
        if step is not None and share > 2.0**-44:
            raise ValueError(
                f"step {step:g} is too large for the complex step: along one direction it is off by {gap.max():.1g}; "
                "leave step out, for however small it is no digit is lost"
            )
    k = np.unravel_index(np.argmax(least.lost), least.lost.shape)
    raise ValueError(
        f"the complex step fails for this f: along one direction it gives {slope[k]:.6g}, but f is not analytic: its "
        f"values on a circle around S have a part of order -1, and {least.lost[k]:.2g} of the slope are lost. f drops "
        "or conjugates imaginary parts, as Cholesky, eigh, eigvalsh, the second value of slogdet, abs, norm, vdot and "
        "conj do without an error, or crosses a branch cut, or turns many times within the radius "
        f'{norm(E) * _RADII[-1]:.2g} of the smallest circle; use scheme="richardson", or write f with det, inv, solve '
        "and mvnlib.ops.logdet"
    )


class _Circle(NamedTuple):
    """What values on a circle tell: the slope, how much could hide in their noise, and what a complex step may lose.

    ``real_slope`` is the slope along the real axis, with what a complex step loses.
    """

    is_analytic: bool
    slope: Array
    real_slope: Array
    hidden: Array
    lost: Array
    share: float


def _circle(g: Evaluation, S: Array, E: Array, radius: float) -> _Circle:
    z = radius * np.exp(1j * _ANGLES)
    values = _imaginary_parts_kept(g, S + z.reshape(-1, *[1] * S.ndim) * E)
    shape = values.shape[1:]
    flat = values.reshape(len(values), -1)
    size = np.abs(flat).max(axis=0)
    flat = flat / np.where(size > 0, size, 1.0)  # its squares are floats
    even, odd = _COSINES @ flat.real, _SINES @ flat.imag  # f(conj z) is conj f(z)
    positive, negative = even + odd, even - odd  # coefficients of the orders 0, 1, ... and 0, -1, ...
    swing = np.abs(flat - flat.mean(axis=0)).max(axis=0)
    noise = np.sqrt(np.square(negative[_NOISE]).mean(axis=0))
    noise = np.maximum(
        noise, np.sqrt(np.square(noise).mean())
    )  # five values tell it roughly; all components, better
    allowed = 10 * noise + 1e-13 * swing + EPS * (size > 0)
    dropped = np.abs(negative[_LOST]).max(axis=0)
    # What turns within the circle, or is noise on it, is not shown to be anything.
    shown = (allowed <= 0.05 * swing) | (swing <= 4 * EPS)
    slope, lost, hidden = size * positive[1], 2 * size * np.maximum(dropped, allowed), 2 * size * allowed
    share = float((lost / np.maximum(np.abs(slope) + lost, TINY)).max())
    along = size * (positive[1] + negative[1])
    slope, along, hidden, lost = (of.reshape(shape) / radius for of in (slope, along, hidden, lost))
    return _Circle(bool(((dropped <= allowed) & shown).all()), slope, along, hidden, lost, share)


def _imaginary(g: Evaluation, points: NDArray[Any]) -> Array:
    return np.asarray(_imaginary_parts_kept(g, points).imag, dtype=float)


def _imaginary_parts_kept(g: Evaluation, points: NDArray[Any]) -> NDArray[Any]:
    with _IMAGINARY_PARTS_MATTER:
        try:
            return g(points, lambda k: "a complex point S + i h E")
        except (ValueError, TypeError) as error:
            raise ValueError(
                f'the complex step needs an f that takes complex matrices; use scheme="richardson". {error}'
            ) from error


def _spread(S: Array, first: Indices, second: Indices, weights: Array) -> Array:
    E = np.zeros(S.size)
    E[first] = E[second] = weights
    return E.reshape(S.shape)


def _in_last_digits(S: Array) -> Array:
    """Return four copies of S moved at random, as far as a backward stable program may move it."""
    signs = 2.0 * np.random.default_rng(0).integers(2, size=(4, *S.shape)) - 1
    if S.ndim == 2 and is_nearly_symmetric(S):
        rows, columns = vech_places(len(S))
        signs[:, columns, rows] = signs[:, rows, columns]
    # Backward errors are of the size of the largest entry; zeros stay, for they may be the structure of S.
    units = alike_units(S)
    return np.asarray(S + signs * (units * EPS * float(np.abs(S / units).max())) * (S != 0))
