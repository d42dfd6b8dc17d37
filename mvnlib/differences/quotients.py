"""Difference quotients with honest error bars: the numerics under `mvnlib.differences`.

A slope along a move has two errors.  Truncation shows as the disagreement of two estimates of different order
or step; noise is that of the values, measured once (see `noise`), divided by the step.  Where one of them is
large and the other is not, another step is tried, for each move on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS
from mvnlib._validation import Array, is_finite, probing
from mvnlib.differences.evaluation import Evaluation
from mvnlib.differences.moves import CHUNK, Entries, Indices, Moves
from mvnlib.differences.noise import OFFSETS, USUAL, is_rounding, measured_noise, usual_noise
from mvnlib.differences.reach import Reach, scale

_SINGLE = float(np.finfo(np.float32).eps)

_AHEAD, _BOTH_WAYS = np.array([[1.0]]), np.array([[1.0], [-1.0]])
_SPACED = USUAL * OFFSETS[:, None]


class LostStepError(ValueError):
    """A step so small that the points it should lead to are the same in floating point."""

    def __init__(self, step: float) -> None:
        super().__init__(f"step {step:g} is lost in rounding beside the entries of S; pass a larger step")


@dataclass(frozen=True, eq=False)
class Rule:
    """Estimates of a slope from the quotients at the steps halvings[l] h.

    ``values[c]`` are the weights of the c-th estimate, ``errors[c]`` those of its truncation error.  The first
    is the rule proper; of the others the one with the smallest error is taken where steps are free.
    """

    order: int
    two_sided: bool
    halvings: Array
    values: Array
    errors: Array
    #: The relative error beyond which another step is looked for.
    goal: float

    @cached_property
    def amplification(self) -> Array:
        """Five standard errors of each estimate for noise of size one in f and a step of one."""
        found: Array = np.sqrt(np.square(self.values / self.halvings).sum(axis=1))
        scaled: Array = 5 * found * (0.5**0.5 if self.two_sided else 2.0**0.5)
        return scaled


def _extrapolation(levels: int) -> Array:
    """Weights that cancel h^2, h^4, ... in central differences at h, h/2, h/4, ..."""
    squares = 4.0 ** -np.arange(levels)
    return np.array([np.prod([b / (b - a) for b in squares if b != a]) for a in squares])


def _romberg(levels: int) -> Rule:
    """All extrapolations of two and more consecutive steps, each compared with the one that lacks the first."""
    values, errors = [], []
    for count in range(levels, 1, -1):
        for start in range(levels - count + 1):
            best, second = np.zeros((2, levels))
            best[start : start + count] = _extrapolation(count)
            second[start + 1 : start + count] = _extrapolation(count - 1)
            values.append(best)
            errors.append(best - second)
    halvings: Array = 2.0 ** -np.arange(float(levels))
    return Rule(2 * levels, True, halvings, np.array(values), np.array(errors), 1e-9)


_SLACK = 2.0  # for what the orders beyond the next one leave, and the choice of the least of several errors
_TWO, _FIRST_OF_TWO = np.array([1.0, 0.5]), np.array([[1.0, 0.0]])
RULES = {
    "forward": Rule(1, False, _TWO, _FIRST_OF_TWO, np.array([[2.0, -2.0]]), 1e-7),
    "central": Rule(2, True, _TWO, _FIRST_OF_TWO, np.array([[4.0, -4.0]]) / 3, 1e-9),
    "richardson": _romberg(5),
}


def relative_step(rule: Rule, noise: float) -> float:
    """The best step for values of relative noise, as a share of the length over which f varies."""
    if rule.order > 2:
        return 0.125
    return float(min(noise ** (1 / (rule.order + 1)), 0.125))


def step_for(S: Array, scheme: str, eps: float) -> float:
    """Return the default step, see `mvnlib.differences.default_step`."""
    length, size = scale(S)
    share = 2.0**-64 if scheme == "complex" else relative_step(RULES[scheme], eps * max(size / length, 1.0))
    if not length * share > 0:
        raise ValueError(f"S is so small, {size:g}, that a step beside it is no float; change its units")
    return float(2.0 ** np.floor(np.log2(length * share)))


def in_range(slopes: Array) -> Array:
    """The slopes of f, if they are floats."""
    if not is_finite(slopes):
        raise ValueError("f changes so fast, or its direction is so long, that the derivative is no float")
    return slopes


@dataclass
class Slopes:
    """Slopes (k, ...) along k moves.

    ``truncation`` and ``noise`` are estimates of their two errors, ``swing`` is the largest change of f over the
    longest step, divided by it: how large a slope might have been.  ``steps`` are the longest steps.
    """

    value: Array
    truncation: Array
    noise: Array
    swing: Array
    steps: Array

    @property
    def error(self) -> Array:
        """The estimate of the whole error, never below the rounding of the slope itself."""
        return np.asarray(self.truncation + self.noise + EPS * np.abs(self.value))

    @property
    def is_steep(self) -> NDArray[np.bool_]:
        """Where f changes much more within the step than the slope explains, and than noise does."""
        return np.asarray((self.swing > 3 * np.abs(self.value)) & (self.noise < 0.01 * self.swing))

    def of(self, which: Indices) -> Slopes:
        """The slopes along some of the moves."""
        return Slopes(
            *(getattr(self, name)[which] for name in ("value", "truncation", "noise", "swing", "steps"))
        )

    def put(self, which: Indices, better: NDArray[np.bool_], other: Slopes) -> None:
        """Take over from another, of the moves ``which``, what is better there."""
        for name in ("value", "truncation", "noise", "swing"):
            mine, theirs = getattr(self, name), getattr(other, name)
            mine[which] = np.where(better, theirs, mine[which])
        any_better = better.reshape(len(better), -1).any(axis=1)
        self.steps[which] = np.where(any_better, other.steps, self.steps[which])


def slopes(moves: Moves, which: Indices, h: Array, rule: Rule, noise: Array | None, choose: bool) -> Slopes:
    """Slopes along some of the moves at steps h (k,).

    Without noise no errors are estimated, and no value is taken that only they would need.  If ``choose``, the
    estimate of smallest error is taken from all that the rule has.
    """
    levels = rule.halvings if noise is not None else rule.halvings[rule.values[0] != 0]
    count = levels.size
    offsets = levels[:, None] * h
    values, increments = moves.values(
        which, np.concatenate([offsets, -offsets]) if rule.two_sided else offsets
    )
    behind, origin = (values[count:], increments[count:]) if rule.two_sided else (moves.g.at, 0.0)
    # Divide by the increment that floating point made of the step, not by the step.
    widths = increments[:count] - origin
    lost = widths == 0
    if lost.any() and (not choose or lost.all()):
        raise LostStepError(float(h.min()))
    quotients = (values[:count] - behind) / _beside(np.where(lost, np.inf, widths), values.ndim)
    if noise is None:
        value = quotients[0] if count == 1 else np.einsum("l,l...->...", rule.values[0][:count], quotients)
        return Slopes(value, value, value, value, h)
    candidates = len(rule.values) if choose else 1
    # Values far from S may be larger, and so their rounding: then the step is too long.
    louder = np.maximum(moves.g.eps / 2 * np.abs(values).max(axis=0) - noise, 0.0)
    weights = rule.values[:candidates]
    estimates = np.tensordot(weights, quotients, 1)
    truncation = np.abs(np.tensordot(rule.errors[:candidates], quotients, 1)) * (_SLACK if choose else 1.0)
    steps = _beside(h[None], values.ndim)
    rounding = rule.amplification[:candidates].reshape(-1, *[1] * (values.ndim - 1)) * noise / steps
    truncation += rule.amplification[:candidates].reshape(-1, *[1] * (values.ndim - 1)) * louder / steps
    if lost.any():
        unusable = _beside(((weights != 0).astype(float) @ lost) > 0, values.ndim)
        rounding = np.where(unusable, np.inf, rounding)
    swing = np.abs(quotients).max(axis=0)
    if rule.two_sided:
        bends = (values[:count] + values[count:] - 2 * moves.g.at) / _beside(offsets, values.ndim)
        swing = np.maximum(swing, np.abs(values[[0, count]] - moves.g.at).max(axis=0) / steps[0])
        # Of a smooth f the slopes ahead and behind come together as the step shrinks; beside a kink they do not.
        kink = np.minimum(np.abs(2 * bends[1] - bends[0]), np.abs(2 * bends[-1] - bends[-2]))
        kink = np.where(kink > 0.1 * swing, kink, 0.0)
    else:
        kink = np.zeros_like(swing)
    errors = truncation + rounding
    best = np.argmin(errors, axis=0)[None]
    value, left, blur = (np.take_along_axis(of, best, axis=0)[0] for of in (estimates, truncation, rounding))
    if candidates > 1:
        # An estimate that its neighbours contradict by more than their own errors is as uncertain as that.
        contradiction = (np.abs(estimates - value) - 3 * errors).max(axis=0)
        # And of ten the best may be so by chance.
        second = np.partition(errors, 1, axis=0)[1]
        chance = np.where(np.isfinite(second), second, 0.0) / 2 - np.where(np.isfinite(blur), blur, 0.0)
        left = np.maximum(left, np.maximum(contradiction, chance))
    return Slopes(value, np.maximum(left, kink), blur, swing, h.copy())


def quick_slopes(moves: Entries, lengths: Array | float, h: Array | float, rule: Rule) -> Array | None:
    """Slopes without errors, in one call of f; None if its noise has to be looked into, or a step refused.

    The values along the line that tells the noise are asked for together with those of the moves.
    """
    S, first, second = moves.S, moves.first, moves.second
    count, line = first.size, OFFSETS.size
    if count * S.size * 16 > CHUNK:
        return None
    offsets = h * (_BOTH_WAYS if rule.two_sided else _AHEAD)
    flat = S.ravel()
    entries = flat[first] + offsets
    points = np.empty((line + entries.size, S.size))
    points[line:] = flat
    np.multiply(_SPACED, moves.everywhere(lengths).ravel(), out=points[:line])
    points[:line] += flat
    moved = points[line:].reshape(len(offsets), count, -1)
    columns = np.arange(count)
    moved[:, columns, first] = entries
    moved[:, columns, second] = entries
    try:
        values = moves.g(points.reshape(-1, *S.shape), lambda k: "a point beside S")
    except (ValueError, TypeError):  # LinAlgError is a ValueError
        return None
    widths = entries[0] - (entries[1] if rule.two_sided else flat[first])
    if np.count_nonzero(widths) < count or not is_rounding(values[:line]):
        return None
    ends = values[line:].reshape(len(offsets), count, *moves.g.at.shape)
    return np.asarray(
        (ends[0] - (ends[1] if rule.two_sided else moves.g.at)) / _beside(widths, ends.ndim - 1)
    )


def _beside(steps: Array, ndim: int) -> Array:
    return steps.reshape(*steps.shape, *[1] * (ndim - steps.ndim))


def first_slopes(
    moves: Moves, h: Array, rule: Rule, noise: Array | None, choose: bool, trusted: bool
) -> Slopes:
    """Slopes at steps near h, which are shortened, each for its own move, where they leave the domain of f.

    Where the lengths are ``trusted`` the end of the domain is not much nearer; what f refuses there at every step is
    the kind of move, such as a single entry of a symmetric matrix, and to go on until f overlooks it would not do.
    """
    every = np.arange(len(moves))
    try:
        with probing():  # nobody has named these points
            return slopes(moves, every, h, rule, noise, choose)
    except (ValueError, TypeError) as refusal:
        if isinstance(refusal, LostStepError):
            raise
        first = refusal
    parts = []
    for k in every:
        for shorter in range(1, 4 if trusted else 13):
            try:
                with probing():
                    parts.append(
                        slopes(moves, every[k : k + 1], h[k : k + 1] * 8.0**-shorter, rule, noise, choose)
                    )
                break
            except (ValueError, TypeError) as refusal:
                if isinstance(refusal, LostStepError):
                    raise first from None
        else:
            raise first
    return Slopes(
        *(
            np.concatenate([getattr(p, n) for p in parts])
            for n in ("value", "truncation", "noise", "swing", "steps")
        )
    )


def refined(
    moves: Moves, h: Array, longest: Array, rule: Rule, noise: Array, lengths: Array, trusted: bool
) -> Slopes:
    """Slopes at the steps that have the smallest errors; shorter ones are tried where truncation is large, longer
    ones where noise is (Ridders 1982 has the first).

    ``lengths`` (k,) are the units in which slopes along different moves are compared, and if they are ``trusted`` f
    does not turn within them.
    """
    found = first_slopes(moves, h, rule, noise, True, trusted)
    low, high = found.steps.copy(), found.steps.copy()
    shorter, longer = np.ones(len(moves), dtype=bool), np.ones(len(moves), dtype=bool)
    axes = tuple(range(1, found.value.ndim))
    for _ in range(12):
        goal = (
            rule.goal
            * (10 if trusted else 1)
            * np.maximum(np.abs(found.value), _largest(found, lengths) * 0.1)
        )
        large = found.error > goal
        blurred = found.noise > found.truncation
        # A step beyond the bend of f sees more of the bend than of the slope.
        steep = found.is_steep & (not trusted)
        finer, coarser = ((part).any(axis=axes) for part in ((large & ~blurred) | steep, large & blurred))
        finer, coarser = finer & shorter, coarser & longer & (high < longest)
        if not (finer | coarser).any():
            break
        for chosen, bounds, factor, open_, chosen_is_finer in (
            (finer, low, 1 / 8, shorter, True),
            (coarser, high, 8.0, longer, False),
        ):
            which = np.flatnonzero(chosen)
            if not which.size:
                continue
            step = np.minimum(bounds[which] * factor, longest[which])
            bounds[which] = step
            try:
                with probing():
                    other = slopes(moves, which, step, rule, noise, choose=True)
            except (ValueError, TypeError):  # the domain ends there, or the step is lost
                open_[which] = False
                continue
            before = found.of(which)
            better = _is_better(other, before)
            # What a closer look contradicts was not known: f turned within the step, and agreed by chance.
            contradicts = np.abs(other.value - before.value) > 3 * (other.error + before.error)
            better = better | contradicts if chosen_is_finer else better & ~contradicts
            unresolved = other.is_steep | (other.error > 0.1 * other.swing)
            open_[which] = (better | (unresolved & chosen_is_finer)).any(axis=axes)
            found.put(which, better, other)
    return found


def _is_better(new: Slopes, old: Slopes) -> NDArray[np.bool_]:
    """Whether slopes are better known; where f turns within the step, in proportion to how steep it is there."""
    mine, theirs = (of.error / np.where(of.swing > 0, of.swing, 1.0) for of in (new, old))
    turning = (np.maximum(mine, theirs) > 0.1) & (new.noise < 0.1 * new.swing)
    steadier = (mine < theirs / 2) | ((mine < 2 * theirs) & (new.error < old.error))
    return np.asarray(np.where(turning, steadier, new.error < old.error))


def _largest(found: Slopes, lengths: Array) -> Array:
    """The largest slope in each component of f, counted per unit of each move."""
    units = _beside(lengths, found.value.ndim)
    return np.asarray((np.abs(found.value) * units).max(axis=0) / units)


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise of each component of f, and how far f varies over the length that S tells."""

    size: Array
    swing: Array

    @property
    def relative(self) -> float:
        """The largest noise as a share of the largest variation."""
        noise, swing = float(self.size.max()), float(self.swing.max())
        return min(noise / swing, 1.0) if swing else 0.0


def noise_near(g: Evaluation, line: Callable[[Array], Array], room: Reach) -> Noise:
    """The noise of f, measured; at least the rounding of its type."""
    with probing():
        try:
            values = line(USUAL * OFFSETS)
        except (ValueError, TypeError):  # LinAlgError is a ValueError
            found = measured_noise(line, room.known, 16 * EPS * room.condition)
            return Noise(np.maximum(found, g.eps / 4 * np.abs(g.at)), np.abs(g.at))
        usual = usual_noise(values)
        found = measured_noise(line, room.known, 16 * EPS * room.condition) if usual is None else usual
    if g.eps < _SINGLE and np.array_equal(values.astype(np.float32), values):
        g.eps = _SINGLE  # numbers of single precision behind a Python float
    if found.ndim:
        # Components alike in size are alike in noise: each has been measured by a few values only.
        sizes = np.abs(values).max(axis=0)
        share = float(np.sqrt(np.square(found / np.where(sizes > 0, sizes, 1.0)).mean()))
        found = np.clip(share * sizes, found, 8 * found)
    slope, bend = (np.abs(np.diff(values, k, axis=0)).max(axis=0) / USUAL**k for k in (1, 2))
    return Noise(np.maximum(found, g.eps / 4 * np.abs(g.at)), np.maximum(slope, bend / 2))
