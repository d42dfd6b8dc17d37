"""Sufficient statistics of the normal distribution: small values that add.

All that the likelihood of n rows knows of the data is their number, their mean and their scatter matrix.
Statistics of two sets of rows add to those of the union, so data larger than memory, or spread over
machines, are summed chunk by chunk; and likelihood, gradients and estimates follow from the sum alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvnlib._validation import Array, as_real

_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, eq=False)
class NormalStatistics:
    """Number, mean and scatter matrix of the rows of a data set.

    Parameters
    ----------
    n : float
        Number of rows, or their total weight.
    mean : ndarray, shape (d,)
        Mean of the rows.
    scatter : ndarray, shape (d, d)
        Sum of (x - mean)(x - mean)^T over the rows: about the mean, so that data far from the origin lose no
        digits.

    Examples
    --------
    >>> X = np.arange(8.0).reshape(4, 2)
    >>> total = NormalStatistics.from_data(X[:1]) + NormalStatistics.from_data(X[1:])
    >>> total.n, total.mean
    (4.0, array([3., 4.]))
    """

    n: float
    mean: Array
    scatter: Array

    @classmethod
    def from_data(cls, X: Any) -> NormalStatistics:
        """Statistics of the rows of ``X``, shape (n, d): O(n d^2) time, about 256 kB of memory beside them.

        Rows are taken a chunk at a time and the chunks are merged in pairs, each about its own mean, so
        rounding grows with the logarithm of n.  All are counted from the first row: far from the origin the
        scatter matrix keeps its digits, and a column that does not vary has a scatter of exactly zero.

        Raises
        ------
        TypeError, ValueError
            If ``X`` is not a matrix of finite real numbers.
        """
        X = as_real("X", X, ndim=2)
        start = X[0].copy()
        from_start = _of_rows(X, start)
        return cls(from_start.n, start + from_start.mean, from_start.scatter)

    def __add__(self, other: NormalStatistics) -> NormalStatistics:
        """Statistics of both sets of rows together."""
        if not isinstance(other, NormalStatistics):
            return NotImplemented
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                f"statistics of dimension {self.mean.size} and of dimension {other.mean.size} do not add"
            )
        n = self.n + other.n
        share = other.n / n if n else 0.0
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter + (self.n * share) * np.outer(gap, gap)
        return NormalStatistics(n, self.mean + share * gap, scatter)

    def about(self, mu: Array) -> tuple[Array, Array]:
        """The sums s = sum (x - mu) and T = sum (x - mu)(x - mu)^T about any point ``mu``, shapes (d,) and
        (d, d)."""
        gap = self.mean - mu
        return self.n * gap, self.scatter + self.n * np.outer(gap, gap)


def sums_about(X: Array, mu: Array) -> tuple[Array, Array]:
    """The sums s = sum (x - mu) and T = sum (x - mu)(x - mu)^T over the rows of ``X``, in one pass.

    O(n d^2) time, about 1 MB of memory.  They are those of :meth:`NormalStatistics.about`, without a mean in
    between that would be rounded at its own size: far from the origin, near ``mu``, that costs s its digits.
    """
    s, T = np.zeros(mu.size), np.zeros((mu.size, mu.size))
    # Four times the chunk of a mean: in many dimensions T, added to once a chunk, is what costs.
    step = max(1, 4 * _CHUNK_BYTES // (8 * mu.size))
    for start in range(0, X.shape[0], step):
        Y = X[start : start + step] - mu
        s += Y.sum(axis=0)
        T += Y.T @ Y
    return s, T


def _of_rows(X: Array, origin: Array) -> NormalStatistics:
    """Statistics of the rows x - origin."""
    n = X.shape[0]
    if X.nbytes > _CHUNK_BYTES and n > 1:
        return _of_rows(X[: n // 2], origin) + _of_rows(X[n // 2 :], origin)
    Y = X - origin
    mean = Y.mean(axis=0)
    Y -= mean
    return NormalStatistics(float(n), mean, Y.T @ Y)
