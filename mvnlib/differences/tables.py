"""Tables of slopes, with their errors: what the public functions and the referee of gradients share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

import numpy as np

from mvnlib._scaling import EPS
from mvnlib._validation import Array, probing
from mvnlib.differences.circle import circle_slopes, complex_slope_along, complex_slopes
from mvnlib.differences.evaluation import Evaluation
from mvnlib.differences.moves import Direction, Entries, Indices, Moves
from mvnlib.differences.quotients import (
    RULES,
    LostStepError,
    Noise,
    Slopes,
    first_slopes,
    in_range,
    noise_near,
    quick_slopes,
    refined,
    relative_step,
    slopes,
)
from mvnlib.differences.reach import Reach, common_length, norm, reach


@dataclass(frozen=True, eq=False)
class Table:
    """A derivative by differences, of shape S.shape + f.shape, or f.shape along a direction.

    Attributes
    ----------
    value, error : array
        The derivative and an estimate of its error, NaN if none was asked for.
    blur : array
        The part of the error that is noise.
    swing : array
        The largest change of f over the longest step, divided by it: how large a slope might have been.
    lengths : array
        The lengths over which f varies in each entry, broadcastable to ``value``: slopes times lengths compare.
    noise : array
        The noise of f, of its shape.
    """

    value: Array
    error: Array
    blur: Array
    swing: Array
    lengths: Array
    noise: Array


def table_of_entries(
    g: Evaluation,
    X: Array,
    tied: bool,
    scheme: str,
    step: float | None,
    noise: Array | None,
    want_error: bool,
) -> Table:
    """Slopes along every entry; tied ones are moved together."""
    first, second = _moves(X.shape, tied)
    room = reach(X)
    lengths = room.lengths.ravel()[first]
    moves = Entries(g, X, first, second)
    if scheme == "complex":
        value, error = complex_slopes(g, X, first, second, room, step, want_error)
        found = Slopes(value, error, np.zeros_like(error), np.abs(value), lengths)
    else:
        found, noise = _slopes(
            moves, lengths, moves.line(room.lengths), room, scheme, step, noise, want_error
        )
    in_range(found.value)
    if not room.known and step is None:
        lengths = 8 * found.steps
    parts = (found.value, found.error, found.noise, found.swing, lengths.reshape(-1, *[1] * g.at.ndim))
    noise = np.zeros(g.at.shape) if noise is None else noise
    value, error, blur, swing, of_entries = (_spread(part, X.shape, first, second) for part in parts)
    return Table(value, error, blur, swing, of_entries, noise)


def sharpened(g: Evaluation, X: Array, tied: bool, table: Table) -> Table:
    """The table with the entries that values on complex circles tell better, if f takes complex points.

    Only what agrees with the differences is taken.
    """
    first, second = _moves(X.shape, tied)
    try:
        with probing():
            value, error = (
                _spread(part, X.shape, first, second) for part in circle_slopes(g, X, first, second, reach(X))
            )
    except (ValueError, TypeError):  # f is not made for them
        return table
    if not (np.abs(value - table.value) <= 2 * (error + table.error)).all():
        return table
    better = error < table.error
    return replace(
        table,
        value=np.where(better, value, table.value),
        error=np.where(better, error, table.error),
        blur=np.where(better, error, table.blur),
    )


def quick_table(g: Evaluation, X: Array, tied: bool, scheme: str) -> Array | None:
    """The table alone, in one call of f, where the lengths are known and f carries no more noise than rounding."""
    if scheme not in ("forward", "central"):
        return None
    first, second = _moves(X.shape, tied)
    rule = RULES[scheme]
    common = common_length(X)
    if common is not None:
        length, condition = common
        h = _powers(length * relative_step(rule, EPS * condition))
        found = quick_slopes(Entries(g, X, first, second), length, h, rule)
        return None if found is None else _spread(in_range(found), X.shape, first, second)
    room = reach(X)
    if not room.known:
        return None
    h = _powers(room.lengths.ravel()[first] * relative_step(rule, EPS * room.condition))
    found = quick_slopes(Entries(g, X, first, second), room.lengths, h, rule)
    return None if found is None else _spread(in_range(found), X.shape, first, second)


def slope_along(
    g: Evaluation, X: Array, E: Array, scheme: str, step: float | None, noise: Array | None, want_error: bool
) -> Table:
    """The slope along the direction E, which is not zero."""
    room = reach(X)
    length = 1 / norm(E / room.lengths)
    if not 0 < length < np.inf:
        raise ValueError(f"dS is of the size {norm(E):.3g}, so that no step along it is a float; rescale it")
    if step is not None and scheme != "complex" and _is_lost(X, E, step):
        raise LostStepError(step)
    if scheme == "complex":
        value, error = complex_slope_along(g, X, E, length, step, want_error)
        return Table(in_range(value), error, error, np.abs(value), np.asarray(length), np.zeros(value.shape))
    moves = Direction(g, X, E)
    found, noise = _slopes(
        moves, np.array([length]), moves.line(length), room, scheme, step, noise, want_error
    )
    noise = np.zeros(g.at.shape) if noise is None else noise
    return Table(
        in_range(found.value[0]), found.error[0], found.noise[0], found.swing[0], np.asarray(length), noise
    )


def _slopes(
    moves: Moves,
    lengths: Array,
    line: Callable[[Array], Array],
    room: Reach,
    scheme: str,
    step: float | None,
    noise: Array | None,
    want_error: bool,
) -> tuple[Slopes, Array | None]:
    rule, every = RULES[scheme], np.arange(len(moves))
    if step is not None:
        if want_error and noise is None:
            noise = noise_near(moves.g, line, room).size
        h = np.full(len(moves), step)
        return slopes(moves, every, h, rule, noise if want_error else None, choose=False), noise
    seen = noise_near(moves.g, line, room) if noise is None else Noise(noise, np.abs(moves.g.at))
    rounding = EPS * room.condition
    noisy = seen.relative > 64 * rounding
    h = lengths * relative_step(rule, seen.relative if noisy else rounding)
    h = np.asarray(_powers(h))
    if room.known and not want_error and rule.order <= 2:
        return first_slopes(moves, h, rule, None, False, True), seen.size
    longest = lengths / 2 if room.known else np.full(len(moves), np.inf)
    return refined(moves, h, longest, rule, seen.size, lengths, room.known), seen.size


def _powers(h: Array | float) -> Array | float:
    """The powers of two below: most S + h are exact then."""
    if isinstance(h, float) and h > 0:
        return math.ldexp(0.5, math.frexp(h)[1])
    powers: Array = 2.0 ** np.floor(np.log2(h))
    if not (powers > 0).all():
        raise ValueError("S is so small that a step beside it is no float; change its units")
    return powers


def _is_lost(X: Array, E: Array, h: float) -> bool:
    return bool(np.abs((X + h * E - X) - h * E).max() > h * np.abs(E).max() / 20)


@lru_cache(maxsize=8)
def _moves(shape: tuple[int, ...], tied: bool) -> tuple[Indices, Indices]:
    """Flat indices of the two entries each move shifts; the same index twice where an entry moves alone."""
    if not tied:
        every = np.arange(prod(shape))
        return every, every
    rows, cols = np.tril_indices(shape[0])
    return rows * shape[0] + cols, cols * shape[0] + rows


def _spread(slopes: Array, shape: tuple[int, ...], first: Indices, second: Indices) -> Array:
    """Write the slope of each move at both its entries."""
    table = np.empty((prod(shape), *slopes.shape[1:]))
    table[first] = slopes
    table[second] = slopes
    return table.reshape(shape + slopes.shape[1:])
