"""The search behind :func:`mvnlib.laplace`: an interior mode, and the curvature there.

Everything is measured in units of the density itself.  First each coordinate is given the length on which the
log density bends by about one; near the mode the coordinates are those in which the curvature is the
identity, so that neither units nor correlations cost digits.  Newton steps are halved until they rise, and
go uphill where the log density is not concave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mvnlib._validation import Array, as_real, as_symmetric

#: Where the quadratic is compared with the log density, in standard deviations.
_PROBE = 0.01

_EDGE = "beside it the density is zero or not defined, as at an edge, or it is too sharp for floating point"


class Peak(NamedTuple):
    """A mode, the log density there, and a basis (columns) with minus the Hessian in its coordinates."""

    point: Array
    value: float
    basis: Array
    curvature: Array


@dataclass(frozen=True)
class Target:
    """A log density with what derivatives are given; outside of its domain it is minus infinity.

    ``eps`` is the relative rounding of its values.
    """

    log_density: Callable[[Array], Any]
    gradient: Callable[[Array], Any] | None
    hessian: Callable[[Array], Any] | None
    eps: float

    def value(self, theta: Array) -> float:
        try:
            value = float(self.log_density(theta.copy()))
        except (ValueError, ArithmeticError):  # LinAlgError is a ValueError; math.log raises one too
            return -np.inf
        if value == np.inf:
            raise _no_mode(theta, "it is infinite")
        return -np.inf if np.isnan(value) else value

    def derivatives(self, theta: Array, value: float, basis: Array) -> tuple[Array, Array]:
        """Gradient and minus the Hessian of ``z -> f(theta + basis @ z)`` at 0."""
        if self.gradient is None:
            mixed = self.hessian is None
            slope, H = _stencil(
                lambda z: self.value(theta + basis @ z), value, self.reach(value), len(theta), mixed
            )
        else:
            slope, H = basis.T @ self._slope(theta), np.zeros_like(basis)
        if self.hessian is not None:
            table = as_symmetric("hessian(theta)", self.hessian(theta.copy()), rtol=1e-6)
            H = basis.T @ as_real("hessian(theta)", table, shape=basis.shape) @ basis
        elif self.gradient is not None:
            H = _slopes(lambda z: basis.T @ self._slope(theta + basis @ z, edge=np.nan), len(theta))
        if not (np.isfinite(slope).all() and np.isfinite(H).all()):
            raise _no_mode(theta, _EDGE)
        return slope, -(H + H.T) / 2

    def reach(self, value: float) -> float:
        """The step, where f bends by one in a unit, at which truncation and rounding weigh the same."""
        return float(min(5 * (self.eps * max(1.0, abs(value))) ** (1 / 6), 0.2))

    def near(self, value: float) -> float:
        """A squared distance to the mode, in standard deviations, that values of f cannot reliably tell from 0."""
        return max(1e-6, 100 * self.eps * abs(value))

    def _slope(self, theta: Array, edge: float | None = None) -> Array:
        assert self.gradient is not None
        try:
            return as_real("gradient(theta)", self.gradient(theta.copy()), shape=theta.shape)
        except (ValueError, ArithmeticError):
            if edge is None:
                raise
            return np.full(theta.shape, edge)


def find_peak(target: Target, start: Array) -> Peak:
    """The mode that is uphill from ``start``; numpy.linalg.LinAlgError if there is none to approximate."""
    point, value = start, target.value(start)
    widths = np.maximum(np.abs(point), 1.0)
    for _ in range(200):
        widths = _widths(target.value, point, value, widths)
        if (widths <= 1e-14 * np.abs(point)).any():
            raise _no_mode(point, _EDGE)
        basis = np.diag(widths)
        slope, H = target.derivatives(point, value, basis)
        bends, V = np.linalg.eigh(H)
        if bends[0] > 0 and _squared_distance(H, slope) <= target.near(value):
            return _polished(target, Peak(point, value, basis, H), slope)
        rise = V @ ((V.T @ slope) / np.maximum(np.abs(bends), 1e-10 * np.abs(bends).max() or 1.0))
        for share in 0.5 ** np.arange(60):
            step = basis @ rise * share
            new = target.value(point + step)
            if new - value > 1e-4 * share * (slope @ rise):
                break
        else:
            raise _no_mode(point, _why_stuck(H, basis))
        point, value = point + step, new
    raise _no_mode(point, "it still rises, as towards an edge or without end")


def _polished(target: Target, peak: Peak, slope: Array) -> Peak:
    """Newton steps in coordinates in which the curvature is the identity, while they get shorter."""
    left = np.inf
    for _ in range(20):
        point = peak.point + peak.basis @ np.linalg.solve(peak.curvature, slope)
        value, basis = target.value(point), deviations(peak).T
        slope, H = target.derivatives(point, value, basis)
        if np.linalg.eigvalsh(H)[0] <= 0:
            raise _no_mode(point, _why_stuck(H, basis))
        peak, before, left = Peak(point, value, basis, H), left, _squared_distance(H, slope)
        if left <= 1e-28 or before / 4 < left <= target.near(value):
            break
    if left > target.near(peak.value):
        raise _no_mode(peak.point, "it still rises, but not as its derivatives say")
    _compare_with_quadratic(target, peak)
    return peak


def deviations(peak: Peak) -> Array:
    """A matrix R with the covariance R^T R: its rows are one standard deviation long, and uncorrelated."""
    root: Array = np.linalg.solve(np.linalg.cholesky(peak.curvature), peak.basis.T)
    return root


def _compare_with_quadratic(target: Target, peak: Peak) -> None:
    """Refuse a curvature that does not say how the log density falls: a flat top, a kink, a wrong Hessian."""
    for probe in max(_PROBE, target.reach(peak.value)) * np.array([1, 1 / 16]):
        for direction in deviations(peak):
            sides = [target.value(peak.point + sign * probe * direction) for sign in (1, -1)]
            ratio = (peak.value - (sides[0] + sides[1]) / 2) / (probe**2 / 2)
            if not 0.5 <= ratio <= 2:
                wrong = ", or a wrong hessian" if target.hessian else ""
                raise _no_mode(
                    peak.point,
                    f"its second derivatives do not describe it: {probe:.2g} of their standard deviations away "
                    f"it falls {ratio:.3g} times as far as they say (a flat top, a kink{wrong})",
                )


def _widths(f: Callable[[Array], float], point: Array, value: float, guess: Array) -> Array:
    """For each coordinate a length on which f bends by 1/16 to 1, if there is one."""
    widths = np.empty_like(guess)
    for i in range(point.size):
        low, high, h = 0.0, np.inf, float(guess[i])
        for k in range(200):
            move = np.zeros_like(point)
            move[i] = h
            if np.array_equal(point + move, point) or not np.isfinite(h):
                break
            bend = abs(f(point + move) + f(point - move) - 2 * value)
            if 1 / 16 <= bend <= 1:
                break
            low, high = (low, h) if bend > 1 else (h, high)
            if high < low * (1 + 1e-6):
                break
            stride = 4.0 ** min(k + 1, 60)
            h = (
                h / stride
                if low == 0
                else h * stride
                if high == np.inf
                else float(np.sqrt(low) * np.sqrt(high))
            )
        widths[i] = h
    return widths


def _stencil(f: Callable[[Array], float], value: float, h: float, d: int, mixed: bool) -> tuple[Array, Array]:
    """Gradient and Hessian at 0 by central differences at h and h / 2, extrapolated to order four."""
    unit = h * np.eye(d)
    slope, H = np.empty(d), np.zeros((d, d))
    for i in range(d):
        wide, narrow = (f(unit[i]), f(-unit[i])), (f(unit[i] / 2), f(-unit[i] / 2))
        slope[i] = (8 * (narrow[0] - narrow[1]) - (wide[0] - wide[1])) / (6 * h)
        H[i, i] = (16 * (sum(narrow) - 2 * value) - (sum(wide) - 2 * value)) / (3 * h**2)
        for j in range(i if mixed else 0):
            p, q = unit[i] + unit[j], unit[i] - unit[j]
            far = f(p) - f(q) - f(-q) + f(-p)
            near = f(p / 2) - f(q / 2) - f(-q / 2) + f(-p / 2)
            H[i, j] = H[j, i] = (16 * near - far) / (12 * h**2)
    return slope, H


def _slopes(g: Callable[[Array], Array], d: int) -> Array:
    """Hessian at 0 by central differences of the gradient at h and h / 2, extrapolated to order four."""
    unit = _PROBE * np.eye(d)
    return np.array([(8 * (g(u / 2) - g(-u / 2)) - (g(u) - g(-u))) / (6 * _PROBE) for u in unit])


def _squared_distance(H: Array, slope: Array) -> float:
    """From the point to the mode, as slope and curvature have it, in standard deviations."""
    return float(slope @ np.linalg.solve(H, slope))


def _why_stuck(H: Array, basis: Array) -> str:
    if np.linalg.eigvalsh(H)[0] > 0:
        return "it still rises, but not as its derivatives say"
    inverse = np.linalg.inv(basis)
    lowest = float(np.linalg.eigvalsh(inverse.T @ H @ inverse)[0])
    return f"it is not strictly concave: minus its Hessian has the eigenvalue {lowest:.3g}"


def _no_mode(point: Array, reason: str) -> np.linalg.LinAlgError:
    where = np.array2string(point, precision=6, threshold=6)
    return np.linalg.LinAlgError(
        f"log_density has no interior mode to approximate where the search ends, at {where}: {reason}"
    )
