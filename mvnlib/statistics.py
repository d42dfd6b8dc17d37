"""Sufficient statistics of the normal distribution: small values that add.

All that the likelihood of n rows knows of the data is their number, their mean and their scatter matrix.
Statistics of two sets of rows add to those of the union, so data larger than memory, or spread over
machines, are summed chunk by chunk; and likelihood, gradients and estimates follow from the sum alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import TINY, Array, Units, exact_sum, rescaled
from mvnlib._validation import (
    as_float,
    as_number,
    as_real,
    as_rows,
    as_symmetric,
    quiet,
    require_finite,
    sealed,
    subtract,
)
from mvnlib._values import Value

_CHUNK_BYTES = 1 << 19
#: From here on a row is long enough for NumPy to subtract a vector from each at full speed.
_LONG_ROW = 256


@dataclass(frozen=True, eq=False)
class NormalStatistics(Value):
    """Number, mean and scatter matrix of the rows of a data set.

    Every function of a log-likelihood takes them in place of the data ``X``.  They add, with ``+`` and with
    ``sum``, they can be pickled, and their arrays cannot be written to.

    Parameters
    ----------
    n : float
        Number of rows, or their total weight; not negative.
    mean : array_like, shape (d,)
        Mean of the rows.
    scatter : array_like, shape (d, d)
        Sum of (x - mean)(x - mean)^T over the rows: about the mean, so that data far from the origin lose no
        digits.  Symmetric, with no negative number on the diagonal.
    rest : array_like, shape (d,), optional
        What ``mean`` as a float has no room for: the mean is mean + rest.  Far from the origin the rounding of
        a mean would be all that is left of a gradient near it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, real and of the right shape, or not what it is said to be above.

    Examples
    --------
    >>> X = np.arange(8.0).reshape(4, 2)
    >>> total = sum(NormalStatistics.from_data(chunk) for chunk in (X[:1], X[1:]))
    >>> total.n, total.mean
    (4.0, array([3., 4.]))
    """

    n: float
    mean: Array
    scatter: Array
    rest: Array = None  # type: ignore[assignment]  # an array from __post_init__ on

    #: An array added to statistics is an error, not an array of statistics.
    __array_ufunc__ = None

    @quiet
    def __post_init__(self) -> None:
        n = as_number("n", self.n)
        mean = as_real("mean", self.mean, ndim=1)
        scatter = as_real("scatter", self.scatter, shape=(mean.size, mean.size))
        rest = np.zeros(mean.size) if self.rest is None else as_real("rest", self.rest, shape=mean.shape)
        variances = scatter.diagonal()
        if n < 0:
            raise ValueError(f"n must not be negative, but it is {n}")
        if (variances < 0).any():
            i = int(np.argmin(variances))
            raise ValueError(
                f"scatter must have no negative diagonal, but scatter[{i}, {i}] = {variances[i]}"
            )
        lengths = np.sqrt(variances)
        as_symmetric("scatter", scatter, deviations=lengths)
        known = np.where(lengths, lengths, 1.0)
        excess = np.abs(scatter) / known[:, None] - (1 + 1e-12) * lengths
        if (excess > 0).any():
            i, j = (int(k) for k in np.argwhere(excess > 0)[0])
            raise ValueError(
                f"scatter must be a sum of squares, but scatter[{i}, {j}] = {scatter[i, j]} beside "
                f"{variances[i]} and {variances[j]} on the diagonal"
            )
        lowest = float(np.linalg.eigvalsh(scatter / known / known[:, None])[0])
        if lowest < -1e-6 * mean.size:  # no more than what float32, if it was kept so, leaves of a zero
            raise ValueError(
                f"scatter must be a sum of squares, but with ones on its diagonal it has the eigenvalue {lowest:.3g}"
            )
        if n == 0 and scatter.any():
            raise ValueError(f"scatter of no rows must be zero, but its trace is {variances.sum()}")
        mean, rest = exact_sum(mean, rest)
        require_finite("mean + rest", mean)
        self._hold(n, mean, scatter.copy(), rest)

    def _hold(self, n: float, mean: Array, scatter: Array, rest: Array) -> NormalStatistics:
        object.__setattr__(self, "n", n)
        for name, value in (("mean", mean), ("scatter", scatter), ("rest", rest)):
            object.__setattr__(self, name, sealed(value))
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._hold(**state)

    @classmethod
    @quiet
    def from_data(cls, X: Any) -> NormalStatistics:
        """Statistics of the rows of ``X``, in one pass.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Data, one observation a row; at least one row.  It may be a memory-mapped file.

        Returns
        -------
        NormalStatistics

        Raises
        ------
        TypeError, ValueError
            If ``X`` is not a matrix of finite real numbers, or so large, or varies so little, that its
            scatter matrix is out of the range of floats (squares above 1e308 or below 1e-308).

        Notes
        -----
        O(n d^2) time, O(d^2 log n) memory and 1 MB.  Rows are taken a chunk at a time, and the chunks are merged
        in pairs, each about its own mean, so rounding grows with the logarithm of n.  All are counted from the
        first row, and the mean is kept in two parts: far from the origin neither mean nor scatter matrix loses
        digits, and a column that does not vary has a scatter of exactly zero.
        """
        X = as_rows("X", X)
        start = as_float(X[0]).copy()
        from_start = _of_rows(X, start)
        mean, rest = exact_sum(start, from_start.mean)
        found = _made(from_start.n, *exact_sum(mean, rest + from_start.rest), from_start.scatter)
        if not np.isfinite(found.scatter.trace()):
            require_finite("X", X)
        if not np.isfinite(found.scatter.diagonal()).all():
            raise ValueError("X is too large: its scatter matrix overflows; change its units")
        for i in np.flatnonzero(found.scatter.diagonal() < found.n * TINY):
            if _varies(X[:, i]):
                raise ValueError(f"X[:, {i}] varies so little that its scatter underflows; change its units")
        return found

    @quiet
    def __add__(self, other: NormalStatistics) -> NormalStatistics:
        """Statistics of both sets of rows together: O(d^2) time.

        Raises
        ------
        ValueError
            If the dimensions differ, or the rows are so far apart that the scatter matrix overflows.
        """
        if not isinstance(other, NormalStatistics):
            return NotImplemented
        if self.mean.shape != other.mean.shape:
            raise ValueError(
                f"statistics of dimension {self.mean.size} and of dimension {other.mean.size} do not add"
            )
        total = _merged(self, other)
        if not np.isfinite(total.scatter.diagonal()).all():
            raise ValueError("statistics of rows so far apart do not add: their scatter matrix overflows")
        return total

    def __radd__(self, other: Any) -> NormalStatistics:
        """Nothing, 0, added to statistics changes nothing: so ``sum`` adds them."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    @quiet
    def about(self, mu: Any) -> tuple[Array, Array]:
        """The sums s = sum (x - mu) and T = sum (x - mu)(x - mu)^T about any point ``mu``, shapes (d,) and
        (d, d), in O(d^2) time.

        Raises
        ------
        TypeError, ValueError
            If ``mu`` is not a vector of d finite real numbers, or so far away that T overflows.
        """
        mu = as_real("mu", mu, shape=self.mean.shape)
        _, s, T = sums(self, mu, 1.0)
        return s, T

    def loglik(self, mu: Any, Sigma: Any) -> float:
        """Log-likelihood of the rows: :func:`mvnlib.loglik`."""
        from mvnlib.normal import loglik

        return loglik(self, mu, Sigma)

    def loglik_gradient(self, mu: Any, Sigma: Any, *, convention: str = "entrywise") -> tuple[Array, Array]:
        """Gradient of the log-likelihood of the rows in mu and Sigma: :func:`mvnlib.loglik_gradient`."""
        from mvnlib.normal import loglik_gradient

        return loglik_gradient(self, mu, Sigma, convention=convention)

    def fit(self) -> tuple[Array, Array]:
        """Maximum likelihood estimate of mean and covariance matrix: :func:`mvnlib.fit_normal`."""
        from mvnlib.normal import fit_normal

        return fit_normal(self)


#: What stands for the data in a log-likelihood: its rows, or their statistics.
Data = NDArray[Any] | NormalStatistics


def as_data(name: str, value: Any, d: int) -> Data:
    """Return ``value`` as rows of length ``d`` (see :func:`as_rows`) or as statistics of such rows."""
    if not isinstance(value, NormalStatistics):
        return as_rows(name, value, d)
    if value.mean.size != d:
        raise ValueError(
            f"{name} must be statistics of rows of length {d}, but their mean has shape {value.mean.shape}"
        )
    return value


def sums(X: Data, mu: Array, units: Units) -> tuple[float, Array, Array]:
    """n, s = sum y and T = sum y y^T with y = (x - mu) / units, over rows or from their statistics.

    One pass over the rows, O(n d^2) time and less than 2 MB; from statistics O(d^2).
    """
    if isinstance(X, NormalStatistics):
        n, gap = X.n, ((X.mean - mu) + X.rest) / units
        s, T = n * gap, rescaled(X.scatter, 1 / units) + n * np.outer(gap, gap)
    else:
        n = float(len(X))
        s, T = _sums_of_rows(X, mu, units)
    if not np.isfinite(T.trace()):
        if not isinstance(X, NormalStatistics):
            require_finite("X", X)
        raise ValueError("X is so far from mu that the squares of x - mu overflow")
    return n, s, T


def _sums_of_rows(X: NDArray[Any], mu: Array, units: Units) -> tuple[Array, Array]:
    n, d = X.shape
    step = min(n, _rows_in_chunk(d))
    origin = mu
    if d < _LONG_ROW and n > step:
        origin = np.tile(mu, (step, 1))
    Y, part, ones = np.empty((step, d)), np.empty((d, d)), np.ones(step)
    s, T = np.zeros(d), np.zeros((d, d))
    for start in range(0, n, step):
        c = min(step, n - start)
        y = subtract(X[start : start + c], origin if origin is mu else origin[:c], Y[:c])
        if not isinstance(units, float):
            y /= units
        s += ones[:c] @ y
        T += np.matmul(y.T, y, out=part)
    return s, T


def _rows_in_chunk(d: int) -> int:
    # Not many fewer rows than columns: T, added to once a chunk, would be what costs.
    return max(_CHUNK_BYTES // (8 * d), d // 2)


def _of_rows(X: NDArray[Any], origin: Array) -> NormalStatistics:
    """Statistics of the rows x - origin."""
    n = len(X)
    if n > _rows_in_chunk(origin.size):
        return _merged(_of_rows(X[: n // 2], origin), _of_rows(X[n // 2 :], origin))
    Y = subtract(X, origin, np.empty(X.shape))
    mean = np.full(n, 1 / n) @ Y
    Y -= mean
    return _made(float(n), mean, np.zeros(mean.size), Y.T @ Y)


def _merged(one: NormalStatistics, two: NormalStatistics) -> NormalStatistics:
    n = one.n + two.n
    gap = (two.mean - one.mean) + (two.rest - one.rest)
    # From the mean of the heavier set to the common one it is not far, so little is rounded on the way.
    heavier, lighter, way = (one, two, gap) if one.n >= two.n else (two, one, -gap)
    share = lighter.n / n if n else 0.0
    root = np.sqrt(heavier.n * share) * gap
    scatter = one.scatter + two.scatter
    scatter += np.outer(root, root)
    return _made(n, *exact_sum(heavier.mean, heavier.rest + share * way), scatter)


def _made(n: float, mean: Array, rest: Array, scatter: Array) -> NormalStatistics:
    """Statistics of parts known to be right."""
    return object.__new__(NormalStatistics)._hold(n, mean, scatter, rest)


def _varies(column: NDArray[Any]) -> bool:
    first = as_float(column[:1])
    chunks = (column[start : start + _CHUNK_BYTES] for start in range(0, len(column), _CHUNK_BYTES))
    return any((as_float(chunk) != first).any() for chunk in chunks)
