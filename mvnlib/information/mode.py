"""The search behind :func:`mvnlib.laplace`: an interior mode, and the curvature there.

Everything is measured in units of the density itself.  First each coordinate is given the length on which the
log density bends by about one; near the mode the coordinates are those in which the curvature is the
identity, so that neither units nor correlations cost digits.  Newton steps are halved until they rise, and
go uphill where the log density is not concave.  In the end, derivatives that were given have to agree with the
log density, and with each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, SupportsFloat

import numpy as np

from mvnlib._scaling import EPS
from mvnlib._validation import Array, as_real, as_symmetric
from mvnlib.differences.noise import OFFSETS, USUAL, measured_noise, usual_noise

#: Where the quadratic is compared with the log density, in standard deviations.
_PROBE = 0.01
#: No step of a difference is longer, in standard deviations.
_LONGEST = 0.2

_EDGE = "beside it the density is zero or not defined, as at an edge, or it is too sharp for floating point"
_FLAT = "however far one goes along a coordinate it hardly bends: it is all but flat, or rises without end"


class Peak(NamedTuple):
    """A mode, the log density there, and a basis (columns) with minus the Hessian in its coordinates."""

    point: Array
    value: float
    basis: Array
    curvature: Array


@dataclass(frozen=True)
class Target:
    """A log density with what derivatives are given; outside of its domain it is minus infinity.

    ``eps`` is the relative rounding of its values, ``step`` that of differences if the caller has one.
    """

    log_density: Callable[[Array], Any]
    gradient: Callable[[Array], Any] | None
    hessian: Callable[[Array], Any] | None
    eps: float
    step: float | None = None

    def noise_near(self, theta: Array) -> float:
        """The noise of the values, measured on a line through a point (see `mvnlib.differences.noise`)."""
        directions = np.random.default_rng(2).uniform(0.5, 1, theta.size)
        lengths = np.where(theta == 0, 1.0, np.abs(theta)) * directions

        def line(t: Array) -> Array:
            values = np.array([self.value(theta + s * lengths) for s in t])
            if not np.isfinite(values).all():
                raise ValueError("the line leaves the domain")
            return values

        try:
            usual = usual_noise(line(USUAL * OFFSETS))
        except ValueError:
            usual = None
        return float(measured_noise(line, False, 16 * EPS) if usual is None else usual)

    def value(self, theta: Array) -> float:
        """The log density at a point, minus infinity outside of its domain."""
        try:
            given = self.log_density(theta.copy())
        except (ValueError, ArithmeticError):  # LinAlgError is a ValueError; math.log raises one too
            return -np.inf
        # What numpy.ma and emath have outside of a domain.
        if given is np.ma.masked or np.iscomplexobj(given):
            return -np.inf
        if np.ndim(given) or not isinstance(given, SupportsFloat):
            raise TypeError(f"log_density must be a number, but at {theta} it is {given!r}")
        value = float(given)
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
            H = self.change_of_gradient(theta, basis)
        if not (np.isfinite(slope).all() and np.isfinite(H).all()):
            raise _no_mode(theta, _EDGE)
        return slope, -(H + H.T) / 2

    def change_of_gradient(self, theta: Array, basis: Array) -> Array:
        """The Hessian of ``z -> f(theta + basis @ z)`` at 0, as differences of the gradient have it."""
        return _slopes(lambda z: basis.T @ self._slope(theta + basis @ z, edge=np.nan), len(theta))

    def exact_moves(self, theta: Array, value: float, basis: Array) -> Array:
        """The basis rounded so that the steps of differences along it, added to ``theta``, round nothing.

        Far from the origin theta + h e is rounded at the size of theta; divided by h^2, that would be the
        second derivative.
        """
        h = (self.reach(value) if self.gradient is None else _PROBE) / 2
        moves = h * basis
        exact = _on_grid(moves.T, theta, np.abs(moves).sum(axis=1)).T / h
        # It is a basis as good as another, unless little is left of it.
        if not np.linalg.norm(_coordinates(basis, exact - basis)) < 0.5:
            raise _no_mode(theta, _EDGE)
        return exact

    def bend(self, value: float) -> float:
        """How far f bends in a unit of the search: by one, or by so much more that rounding does not hide it."""
        return max(1.0, 1e3 * self.eps * abs(value))

    def reach(self, value: float) -> float:
        """The step, where f bends by one in a unit, at which truncation and rounding weigh the same."""
        if self.step is not None:
            return self.step
        return float(min(5 * (self.eps * max(1.0, abs(value))) ** (1 / 6), _LONGEST))

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
        widths = _widths(target.value, point, value, widths, target.bend(value))
        if (widths <= 1e-14 * np.abs(point)).any():
            raise _no_mode(point, _EDGE)
        if not np.isfinite(widths).all():
            raise _no_mode(point, _FLAT)
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
        roots = deviations(peak)
        point = peak.point + peak.basis @ np.linalg.solve(peak.curvature, slope)
        # Steps from a point just below a power of two lead where floats are twice as far apart.
        point = _on_grid(point, point, _LONGEST * np.abs(roots).sum(axis=0))
        value = target.value(point)
        basis = target.exact_moves(point, value, roots.T)
        slope, H = target.derivatives(point, value, basis)
        if np.linalg.eigvalsh(H)[0] <= 0:
            raise _no_mode(point, _why_stuck(H, basis))
        peak, before, left = Peak(point, value, basis, H), left, _squared_distance(H, slope)
        if left <= 1e-28 or before / 4 < left <= target.near(value):
            break
    if left > target.near(peak.value):
        raise _no_mode(peak.point, "it still rises, but not as its derivatives say")
    _require_fall(target, peak)
    _require_given_derivatives(target, peak)
    return peak


def deviations(peak: Peak) -> Array:
    """A matrix R with the covariance R^T R: its rows are one standard deviation long, and uncorrelated."""
    root: Array = np.linalg.solve(np.linalg.cholesky(peak.curvature), peak.basis.T)
    return root


def _require_fall(target: Target, peak: Peak) -> None:
    """Refuse a curvature that does not say how the log density falls: a flat top, a kink."""
    given = [name for name in ("gradient", "hessian") if getattr(target, name)]
    wrong = f", or a wrong {' or '.join(given)}" if given else ""
    for probe in max(_PROBE, target.reach(peak.value)) * np.array([1, 1 / 16]):
        for direction in deviations(peak):
            _, fall = _along(target, peak, probe * direction)
            if not 0.5 <= fall <= 2:
                raise _no_mode(
                    peak.point,
                    f"its second derivatives do not describe it: {probe:.2g} of their standard deviations away "
                    f"it falls {fall:.3g} times as far as they say (a flat top, a kink{wrong})",
                )


def _require_given_derivatives(target: Target, peak: Peak) -> None:
    """Refuse a gradient or Hessian that is not that of the log density, as far as differences can tell.

    Along the standard deviations a wrong table may be right; so mixed directions are asked as well.
    """
    if target.gradient is None and target.hessian is None:
        return
    slack = 2 * float(np.sqrt(target.near(peak.value)))
    roots = deviations(peak)
    mixed, _ = np.linalg.qr(np.random.default_rng(0).standard_normal(roots.shape))
    for direction in (*roots, *(mixed @ roots)):
        # What is claimed: no slope, and a fall of one.
        wide, narrow = (
            np.array(_along(target, peak, share * target.reach(peak.value) * direction)) for share in (1, 0.5)
        )
        gaps = (4 * narrow - wide) / 3 - [0, 1]
        allowed = slack + 3 * np.abs(wide - narrow)
        if target.gradient is not None and not abs(gaps[0]) <= allowed[0]:
            raise _not_of("gradient", peak, f"it is zero there, but log_density has a slope of {gaps[0]:.3g}")
        if not abs(gaps[1]) <= allowed[1]:
            wrong = "gradient" if target.hessian is None else "hessian"
            claim = "bends as a standard normal, but log_density"
            raise _not_of(wrong, peak, f"what it describes {claim} {1 + gaps[1]:.3g} times as much")
    if target.gradient is not None:
        change = -target.change_of_gradient(peak.point, peak.basis)
        gap = float(np.abs(change - peak.curvature).max())
        if not gap <= slack * max(1.0, float(np.abs(peak.curvature).max())):
            if target.hessian is None:
                raise _not_of("gradient", peak, "its derivative, by differences, is not symmetric")
            raise _not_of("hessian", peak, f"from differences of gradient it is {gap:.3g} away")


def _along(target: Target, peak: Peak, move: Array) -> tuple[float, float]:
    """Slope, in standard deviations, and how many times as far as the curvature says the log density falls."""
    move = _on_grid(move, peak.point, np.abs(move))
    length = np.linalg.norm(np.linalg.cholesky(peak.curvature).T @ _coordinates(peak.basis, move))
    ahead, behind = target.value(peak.point + move), target.value(peak.point - move)
    return float((ahead - behind) / (2 * length)), float((2 * peak.value - ahead - behind) / length**2)


def _on_grid(values: Array, theta: Array, reach: Array) -> Array:
    """The values rounded to where all sums are floats that in each coordinate are within ``reach`` of ``theta``."""
    quanta = np.spacing(np.abs(theta) + reach)
    rounded: Array = np.round(values / quanta) * quanta
    return rounded


def _coordinates(basis: Array, moves: Array) -> Array:
    """What combination of the basis the moves are; its rows may be of unlike units."""
    units = np.abs(basis).max(axis=1)
    found: Array = np.linalg.solve(basis / units[:, None], (moves.T / units).T)
    return found


def _not_of(name: str, peak: Peak, reason: str) -> ValueError:
    where = np.array2string(peak.point, precision=6, threshold=6)
    return ValueError(
        f"{name} is not that of log_density: at {where}, counted in standard deviations, {reason}"
    )


def _widths(f: Callable[[Array], float], point: Array, value: float, guess: Array, most: float) -> Array:
    """For each coordinate a length on which f bends by ``most / 16`` to ``most``, if there is one."""
    widths = np.empty_like(guess)
    for i in range(point.size):
        low, high, h = 0.0, np.inf, float(guess[i])
        for k in range(200):
            move = np.zeros_like(point)
            move[i] = h
            if np.array_equal(point + move, point) or not np.isfinite(h):
                break
            bend = abs(f(point + move) + f(point - move) - 2 * value)
            if most / 16 <= bend <= most:
                break
            low, high = (low, h) if bend > most else (h, high)
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
