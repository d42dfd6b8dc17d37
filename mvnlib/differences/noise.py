"""How far the values of a function are off: measured along a line, never assumed.

A function that computes in single precision, stops an iteration at a tolerance or adds 1e13 carries noise that
no type tells of.  On equidistant points of a line the smooth part of f vanishes from the high differences and
the noise does not, so the size of these differences is that of the noise (Hamming 1962; Moré and Wild 2011,
ECnoise).  Where the spacing is too wide the smooth part is still there, and falls with the order; where it is
too narrow the values do not change at all.  So several spacings are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import comb, factorial

import numpy as np

from mvnlib._scaling import EPS
from mvnlib._validation import Array

#: The points of a line, in units of its spacing; the middle one is the point itself.
OFFSETS = np.arange(-4.0, 5.0)
#: Spacings, as shares of the length over which f varies: the usual one, wider ones, and finer ones.
USUAL, WIDE, WIDEST = 2.0**-10, 2.0**-6, 2.0**-3
_FINER = USUAL * 2.0 ** -np.arange(4, 36, 4)
#: Noise below so many units of rounding is that of float64, and nothing to look into.
_ROUNDING = 64 * EPS

Line = Callable[[Array], Array]


def _differences(order: int) -> Array:
    """The differences of one order of nine values, scaled so that white noise of size one makes them one."""
    weights = [(-1.0) ** (order - j) * comb(order, j) for j in range(order + 1)]
    rows = OFFSETS.size - order
    table = np.zeros((rows, OFFSETS.size))
    for row in range(rows):
        table[row, row : row + order + 1] = weights
    scale: float = (factorial(order) ** 2 / factorial(2 * order)) ** 0.5
    return table * scale


_FIRST, _SIXTH, _HIGHER = (
    np.concatenate([_differences(k) for k in orders]) for orders in ((1,), (6,), (7, 8))
)
_TABLE = np.concatenate([_SIXTH, _HIGHER])


class Spacing:
    """What nine values (9, m), one spacing apart, tell of the noise in each of the m components."""

    def __init__(self, values: Array, spacing: float) -> None:
        largest = np.abs(values).max(axis=0)
        size = float(largest.max()) or 1.0  # the squares of what is divided by it are floats
        squares = np.square(_TABLE @ (values / size))
        sixth, higher = squares[:3].mean(axis=0), squares[3:].mean(axis=0)
        self.largest = largest
        self.noise = size * np.sqrt((sixth + higher) / 2)
        self.change = size * np.sqrt(np.square(_FIRST @ (values / size)).mean(axis=0))
        self.slope = self.change / spacing
        #: Whether the smooth part still shows: it falls from order to order, noise does not.
        self.falling = sixth > 9 * higher
        #: Whether most values are the same: the spacing is finer than the resolution of f.
        steps = np.diff(values, axis=0)
        self.still = (steps == 0).sum(axis=0) >= 4
        self.spread = np.ptp(values, axis=0)
        self.noise = np.where(self.spread == 0, 0.0, self.noise)
        self.steps = np.abs(steps)
        self.doubtful = self.falling | (self.noise > _ROUNDING * largest)


def is_rounding(values: Array) -> bool:
    """Whether nine values at the usual spacing carry no more noise than that of float64: a quick look."""
    flat = values.reshape(OFFSETS.size, -1)
    high = _HIGHER @ flat
    largest = max(float(flat.max()), -float(flat.min()))
    if not 0 < max(float(high.max()), -float(high.min())) <= _ROUNDING * largest:
        return False
    return any(float(np.float32(value)) != value for value in flat[::3, 0].tolist())


def usual_noise(values: Array) -> Array | None:
    """The noise in nine values at the usual spacing; None if it has to be looked into."""
    seen = Spacing(values.reshape(OFFSETS.size, -1), USUAL)
    if (seen.doubtful | seen.still | _are_multiples(seen.steps)).any():
        return None
    return np.asarray(seen.noise.reshape(values.shape[1:]))


def measured_noise(line: Line, known: bool, finest: float) -> Array:
    """The size of the noise of f near a point, for each component of f.

    Parameters
    ----------
    line : callable
        ``line(t)`` gives the values (k, ...) of f at offsets t (k,) along a line through the point, counted in
        lengths over which f is taken to vary.  It may raise ValueError where it leaves the domain.
    known : bool
        Whether f does vary over these lengths; else all finer spacings are looked at.
    finest : float
        Spacings below it are not: there the points themselves are rounded, and round alike.
    """
    shape: tuple[int, ...] = ()  # of f, from the first values

    def seen(spacing: float) -> Spacing | None:
        nonlocal shape
        try:
            values = line(spacing * OFFSETS)
        except (ValueError, TypeError):  # LinAlgError is a ValueError
            return None
        shape = values.shape[1:]
        return Spacing(values.reshape(OFFSETS.size, -1), spacing)

    levels: list[Spacing] = []
    for spacing in (USUAL, *_FINER[finest < _FINER]):
        here = seen(spacing)
        if here is None:  # the domain may end within a few spacings
            continue
        levels.append(here)
        if len(levels) > 1 and (not here.doubtful.any() or not here.spread.any()):
            break
        if known and len(levels) > 2 and (here.still | _plateau(levels[-3:])).all():
            break
    wider = [level for level in map(seen, (WIDEST, WIDE)) if level is not None]
    if not levels:
        return np.zeros(shape)
    # From the finest spacing at which f moves, upwards as long as the noise is the same.
    noise, slope = levels[-1].noise, levels[-1].slope
    same = np.ones(noise.shape, dtype=bool)
    for level in levels[-2::-1]:
        moved = ~level.still | (noise == 0)
        fresh = moved & (slope == 0)
        same = same & (fresh | ~moved | (level.noise <= 8 * noise))
        slope = np.where(same & moved & (slope == 0), level.slope, slope)
        noise = np.where(same & moved, np.where(fresh, level.noise, np.maximum(noise, level.noise)), noise)
    for level, below in pairwise([*wider[-1:], *levels]):
        # Small beside the first differences, which are those of a line, and alike in all high ones, while at a finer
        # spacing nothing is left: jumps that a finer line falls between.
        straight = (level.slope > slope / 4) & (level.slope < 4 * slope) & ~level.falling & ~below.falling
        gone = (below.noise <= _ROUNDING * below.largest) | (below.noise >= level.noise / 8)
        jumps = straight & gone & ~level.still & (level.change > 1000 * level.noise)
        noise = np.where(jumps, np.maximum(noise, level.noise), noise)
    for level in wider[::-1]:
        # What does not move at the usual spacing, and then jumps, is below the resolution of f at this point.
        noise = np.where((levels[0].spread == 0) & level.still, np.maximum(noise, level.spread / 2), noise)
    return np.asarray(np.maximum(noise, 0.3 * _quantum([*levels, *wider])).reshape(shape))


def _quantum(levels: list[Spacing]) -> Array:
    """The least difference of values of which all others are multiples, where values stay the same; else 0."""
    steps = np.concatenate([level.steps for level in levels])
    stays = np.any([level.still for level in levels], axis=0) & (steps > 0).any(axis=0)
    return np.where(stays & _are_multiples(steps), _least(steps), 0.0)


def _least(steps: Array) -> Array:
    least = np.where(steps > 0, steps, np.inf).min(axis=0)
    return np.where(np.isfinite(least), least, 1.0)


def _are_multiples(steps: Array) -> Array:
    """Where all differences of values are multiples of the least one, as of rounded numbers (and of a line)."""
    shares = steps / _least(steps)
    return np.asarray((np.abs(shares - np.round(shares)) <= 1e-6 * shares).all(axis=0))


def _plateau(levels: list[Spacing]) -> Array:
    """Where three spacings, each finer than the one before, show the same noise: it is noise, and no smooth part."""
    alike = [(fine.noise >= coarse.noise / 8) & ~coarse.falling for coarse, fine in pairwise(levels)]
    return np.asarray(alike[0] & alike[1])
