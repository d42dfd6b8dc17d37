"""How far the values of a function are off: measured along a line, never assumed.

A function that computes in single precision, stops an iteration at a tolerance or adds 1e13 carries noise that
no type tells of.  On equidistant points of a line the smooth part of f vanishes from the high differences and
the noise does not, so the size of these differences is that of the noise (Hamming 1962; Moré and Wild 2011,
ECnoise).  Where the spacing is too wide the smooth part is still there, and falls with the order; where it is
too narrow the values do not change at all.  So several spacings are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
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


_FIRST, _SIXTH, _HIGHER = (np.concatenate([_differences(k) for k in orders]) for orders in ((1,), (6,), (7, 8)))
_TABLE = np.concatenate([_SIXTH, _HIGHER])


class Spacing:
    """What nine values (9, m), one spacing apart, tell of the noise in each of the m components."""

    def __init__(self, values: Array) -> None:
        largest = np.abs(values).max(axis=0)
        size = float(largest.max()) or 1.0  # the squares of what is divided by it are floats
        squares = np.square(_TABLE @ (values / size))
        sixth, higher = squares[:3].mean(axis=0), squares[3:].mean(axis=0)
        self.noise = size * np.sqrt((sixth + higher) / 2)
        self.slope = size * np.sqrt(np.square(_FIRST @ (values / size)).mean(axis=0))
        #: Whether the smooth part still shows: it falls from order to order, noise does not.
        self.falling = sixth > 9 * higher
        #: Whether most values are the same: the spacing is finer than the resolution of f.
        self.still = (np.diff(values, axis=0) == 0).sum(axis=0) >= 4
        self.spread = np.ptp(values, axis=0)
        self.doubtful = self.falling | (self.noise > _ROUNDING * largest)


def usual_noise(values: Array) -> Array | None:
    """The noise in nine values at the usual spacing; None if it has to be looked into."""
    seen = Spacing(values.reshape(OFFSETS.size, -1))
    if (seen.doubtful | seen.still).any():
        return None
    return seen.noise.reshape(values.shape[1:])


def measured_noise(line: Line) -> Array:
    """The size of the noise of f near a point, for each component of f.

    Parameters
    ----------
    line : callable
        ``line(t)`` gives the values (k, ...) of f at offsets t (k,) along a line through the point, counted in
        lengths over which f is taken to vary.  It may raise ValueError where it leaves the domain.
    """
    shape: tuple[int, ...] = ()

    def seen(spacing: float) -> Spacing | None:
        nonlocal shape
        try:
            values = line(spacing * OFFSETS)
        except (ValueError, TypeError):  # LinAlgError is a ValueError
            return None
        shape = values.shape[1:]
        return Spacing(values.reshape(OFFSETS.size, -1))

    levels: list[Spacing] = []
    for spacing in (USUAL, *_FINER):
        here = seen(spacing)
        if here is None:  # the domain may end within a few spacings
            continue
        levels.append(here)
        if not here.doubtful.any() or here.still.all():
            break
        if len(levels) > 1 and (here.still | _confirmed(levels[-2], here)).all():
            break
    if not levels:
        return np.zeros(shape)
    noise, known = levels[0].noise, np.zeros(levels[0].noise.shape, dtype=bool)
    for coarse, fine in zip(levels[:-1], levels[1:], strict=True):
        known = known | fine.still
        noise = np.where(known, noise, fine.noise)
        known = known | _confirmed(coarse, fine)
    wider = [level for level in map(seen, (WIDE, WIDEST)) if level is not None]
    for level in (*levels, *wider[:1]):
        # Small beside the first differences, and alike in all high ones: jumps that a finer line falls between.
        jumps = ~level.falling & ~level.still & (level.slope > 1000 * level.noise)
        noise = np.where(jumps, np.maximum(noise, level.noise), noise)
    unseen = levels[0].still
    for level in wider:
        # Values that do not move at the usual spacing move by quanta, if they move at all.
        quantum = np.where(level.still, level.spread / 2, level.noise)
        noise = np.where(unseen, np.maximum(noise, quantum), noise)
        unseen = unseen & level.still
    return np.asarray(noise.reshape(shape))


def _confirmed(coarse: Spacing, fine: Spacing) -> Array:
    """Where the noise at a spacing is about that at a finer one: it is noise, and not the smooth part."""
    return np.asarray(~coarse.falling & (fine.noise >= coarse.noise / 8))
