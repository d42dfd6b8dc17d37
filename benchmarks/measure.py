"""Timing, agreement and memory of functions that should return the same."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

Call = Callable[[], Any]

#: A sample shorter than this would be one of the clock, so short calls are repeated within a sample.
SAMPLE = 0.004
#: What takes longer than this is timed once.
SLOW = 3.0
#: Rounds beyond this tell nothing new.
MOST = 41


class Disagreement(AssertionError):
    """Two contenders returned different results: a fast wrong answer is no result."""


def parts(result: Any) -> list[np.ndarray]:
    """The arrays of a result, which may be a number, an array, or a sequence of results."""
    if isinstance(result, tuple | list):
        return [array for part in result for array in parts(part)]
    return [np.asarray(result, dtype=float)]


def difference(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest entry of the part it is in."""
    found, expected = parts(found), parts(expected)
    if [a.shape for a in found] != [b.shape for b in expected]:
        raise Disagreement(f"shapes {[a.shape for a in found]} against {[b.shape for b in expected]}")
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        gap = np.abs(a - b).max()
        if gap != 0:
            worst = max(worst, float(gap / np.abs(b).max()))
        if np.isnan(gap):
            raise Disagreement("a result is not a number")
    return worst


def agreement(calls: Mapping[str, Call], rtol: float) -> dict[str, float]:
    """Call each once; how far each result is from the first one's.  Every one has to be within ``rtol``.

    A contender may make the comparison itself and return True.
    """
    first, *others = calls
    expected = calls[first]()
    found = {}
    for name in others:
        result = calls[name]()
        try:
            found[name] = 0.0 if result is True else difference(result, expected)
        except Disagreement as error:
            raise Disagreement(f"{name} and {first}: {error}") from None
        if not found[name] <= rtol:
            raise Disagreement(f"{name} and {first} differ by {found[name]:.1e}, allowed {rtol:.1e}")
    return found


@contextmanager
def without_collector() -> Iterator[None]:
    """No garbage collection while the clock runs."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def clock(call: Call, times: int = 1) -> float:
    """Seconds of one call, from ``times`` of them."""
    begun = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begun) / times


def race(calls: Mapping[str, Call], budget: float, pause: float = 0.0) -> dict[str, list[float]]:
    """Seconds of each call, in rounds: in every round each has its turn, so what slows the machine slows all.

    ``budget`` is the time to spend in seconds, but for 5 rounds, or 3 if they take very long.  ``pause`` is waited
    before each turn: the idle threads of one library spin for a while, on the cores of the next.
    """
    with without_collector():
        once = {name: clock(call) for name, call in calls.items()}  # also the last of what is done only once
        for name, call in calls.items():
            if once[name] < 10 * SAMPLE:  # what comes first is cold, and would be repeated too little
                once[name] = min(clock(call) for _ in range(3))
        quick = [name for name in calls if once[name] < SLOW]
        times = {name: max(1, round(SAMPLE / max(once[name], 1e-9))) for name in quick}
        seconds: dict[str, list[float]] = {name: [] for name in quick}
        begun, rounds = time.perf_counter(), 0
        while quick and rounds < MOST:
            spent = time.perf_counter() - begun
            if spent > budget and rounds >= (5 if spent < max(SLOW, 5 * budget) else 3):
                break
            first = rounds % len(quick)
            for name in quick[first:] + quick[:first]:
                time.sleep(pause)
                if times[name] > 1:
                    calls[name]()  # the caches are still full of the one before
                seconds[name].append(clock(calls[name], times[name]))
            rounds += 1
    return {name: seconds.get(name, [once[name]]) for name in calls}


def ratio(numerator: list[float], denominator: list[float]) -> float:
    """The median over the rounds of the ratio within a round; of what was timed once, the ratio of medians."""
    if len(numerator) == len(denominator):
        return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))
    return statistics.median(numerator) / statistics.median(denominator)


def extra_memory(call: Call) -> int:
    """Bytes that NumPy and Python held at the worst moment of a call; its result, if it is new, does not count."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = sum(part.nbytes for part in parts(result))
    return max(0, peak - before - min(size, after - before))
