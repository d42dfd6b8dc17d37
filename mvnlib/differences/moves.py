"""What is moved: entries of a point on their own or in pairs, and directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mvnlib._validation import Array
from mvnlib.differences.evaluation import Evaluation

CHUNK = 256 * 1024  # bytes of points handed to f at once: beyond it one big stack is slower than several

Indices = NDArray[np.intp]


class Moves(Protocol):
    """One-parameter moves of a point, which is at t = 0 of each."""

    g: Evaluation

    def __len__(self) -> int:
        """How many there are."""
        ...

    def values(self, which: Indices, offsets: Array) -> tuple[NDArray[Any], Array]:
        """Values (L, k, ...) of f at offsets (L, k) along k of the moves, and the offsets that rounding left."""
        ...


@dataclass
class Entries:
    """Moves of the entries first[k] together with second[k]; the two may be the same."""

    g: Evaluation
    S: Array
    first: Indices
    second: Indices

    def __len__(self) -> int:
        return self.first.size

    def values(self, which: Indices, offsets: Array) -> tuple[NDArray[Any], Array]:
        """As `Moves.values`, in chunks."""
        flat, levels = self.S.ravel(), len(offsets)
        a, b = self.first[which], self.second[which]
        entries = flat[a] + offsets
        per_chunk = max(1, CHUNK // (8 * levels * max(flat.size, self.g.at.size)))
        if which.size <= per_chunk:
            return self._values(a, b, entries, offsets), entries - flat[a]
        values = np.empty((levels, which.size, *self.g.at.shape))
        for start in range(0, which.size, per_chunk):
            part = slice(start, start + per_chunk)
            values[:, part] = self._values(a[part], b[part], entries[:, part], offsets[:, part])
        return values, entries - flat[a]

    def _values(self, a: Indices, b: Indices, entries: Array, offsets: Array) -> NDArray[Any]:
        points = np.empty((*entries.shape, self.S.size))
        points[:] = self.S.ravel()
        columns = np.arange(a.size)
        points[:, columns, a] = entries
        points[:, columns, b] = entries

        def describe(k: int) -> str:
            level, move = divmod(k, a.size)
            return _moved(self.S, int(a[move]), int(b[move]), float(offsets[level, move]))

        found = self.g(points.reshape(-1, *self.S.shape), describe)
        return found.reshape(*entries.shape, *self.g.at.shape)

    def line(self, lengths: Array) -> Callable[[Array], Array]:
        """All entries moved at once, each by another share of its length: where the noise is measured.

        The zeros of a matrix stay, for they may be its structure, as those of a triangular factor, and a program
        may take another way, with other rounding, where they are none.
        """
        E = self.everywhere(lengths)
        return lambda t: _along(self.g, self.S, E, t)

    def everywhere(self, lengths: Array | float) -> Array:
        """The direction of that line."""
        E = _pattern(self.S.shape, self.first.size) * lengths
        if self.S.ndim == 2 and np.count_nonzero(self.S) not in (0, self.S.size):
            E[self.S == 0] = 0
        return E


@lru_cache(maxsize=8)
def _pattern(shape: tuple[int, ...], moves: int) -> Array:
    """Shares of the lengths, no two alike; symmetric if there are fewer moves than entries."""
    rng = np.random.default_rng(2)
    shares: Array = rng.uniform(0.5, 1, shape) * rng.choice([-1.0, 1.0], shape) / max(shape, default=1)
    return shares if moves == shares.size else np.tril(shares) + np.tril(shares, -1).T


@dataclass
class Direction:
    """The single move S + t E."""

    g: Evaluation
    S: Array
    E: Array

    def __len__(self) -> int:
        return 1

    def values(self, which: Indices, offsets: Array) -> tuple[NDArray[Any], Array]:
        """As `Moves.values`."""
        return _along(self.g, self.S, self.E, offsets[:, 0])[:, None], offsets

    def line(self, length: float) -> Callable[[Array], Array]:
        """Along the direction itself, by steps that do not all round alike."""
        return lambda t: _along(self.g, self.S, self.E, t * (length * 0.9))


def _along(g: Evaluation, S: Array, E: Array, t: Array) -> Array:
    points = S + t.reshape(-1, *[1] * S.ndim) * E
    return g(points, lambda k: f"S + {t[k]:g} dS").astype(float)


def _moved(S: Array, a: int, b: int, offset: float) -> str:
    names = []
    for k in dict.fromkeys((a, b)):
        index = ", ".join(str(int(i)) for i in np.unravel_index(k, S.shape))
        names.append(f"S[{index}]" if index else "S")
    return f"S with {' and '.join(names)} moved by {offset:g}"
