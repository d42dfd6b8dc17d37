"""The normal density and its gradients, written for use: fast, stable, and tested against the table.

Data are rows: ``X`` has shape (n, d).  Everything goes through one Cholesky factor Sigma = L L^T, and the
log-likelihood of n rows with its gradients through the sums s = sum (x - mu) and T = sum (x - mu)(x - mu)^T,
which are gathered in one pass over ``X``, or follow from :class:`mvnlib.NormalStatistics` passed in its place.
Coordinates are counted in units (powers of two) in which their variances are about one, so it does not matter
how unlike the variances are.
"""

from __future__ import annotations

from math import ceil, isfinite, sqrt
from typing import Any

import numpy as np

from mvnlib._scaling import EPS, Array, Units, inverse_of_gram, inverse_of_lower, log_determinant, rescaled
from mvnlib._validation import as_real, as_rows, as_scaled, is_finite, one_of, quiet, require_finite, subtract
from mvnlib.conventions import CONVENTIONS, converted
from mvnlib.statistics import NormalStatistics, as_data, sums

__all__ = ["fit_normal", "loglik", "loglik_and_gradient", "loglik_gradient", "logpdf"]

LOG_2PI = float(np.log(2 * np.pi))
_CHUNK_BYTES, _CHUNK_ROWS = 3 << 17, 128
#: Below the first a chunk is held a coordinate a row: the rows of data are too short to work along.  From the
#: second on they are long enough to subtract a vector from each at full speed.
_SHORT_ROW, _LONG_ROW = 12, 256
#: What rounding leaves of an eigenvalue that is zero, in units of d eps: columns that are each other's sum or
#: multiple come out below 3.
_ROUNDING = 16


@quiet
def logpdf(X: Any, mu: Any, Sigma: Any) -> Array:
    r"""Log density of the normal distribution at each row of ``X``.

    .. math:: \log f(x) = -\tfrac12\left(d\log 2\pi + \log|\Sigma| + (x-\mu)^\top\Sigma^{-1}(x-\mu)\right)

    Parameters
    ----------
    X : array_like, shape (n, d)
        Points, one a row; in the units of ``mu``.
    mu : array_like, shape (d,)
        Mean.
    Sigma : array_like, shape (d, d)
        Covariance matrix, symmetric positive definite.

    Returns
    -------
    ndarray, shape (n,)
        Natural logarithms.

    Raises
    ------
    TypeError, ValueError
        If an argument is not numeric, not real, not finite, empty or of the wrong shape, or ``Sigma`` not
        symmetric, or a row so far from ``mu`` that the logarithm of its density is no float.
    numpy.linalg.LinAlgError
        If ``Sigma`` is not positive definite, or cannot be told from a singular matrix.

    Notes
    -----
    O(n d^2 + d^3) time, less than 2 MB of memory beside the result and d x d matrices: rows are whitened a chunk
    at a time, so ``X`` may be a memory-mapped file.

    References
    ----------
    Rennie (2006), eq. (1), for one row, in the logarithm.

    Examples
    --------
    >>> logpdf([[0, 0], [1, 1]], mu=[0, 0], Sigma=np.eye(2)).round(4)
    array([-1.8379, -2.8379])
    """
    _, units, L = as_scaled("Sigma", Sigma)
    d = len(L)
    X, mu = as_rows("X", X, d), as_real("mu", mu, shape=(d,))
    n = len(X)
    constant = _log_constant(L, units)
    whitener = inverse_of_lower(L)
    whitener /= units
    # Blocks of its rows leave out the zeros on their right.  Fewer would leave more of these, more would read
    # the chunk more often; products are fastest by fours.
    height = 4 * ceil(d / 4 / max(1, round(sqrt(d / 10))))
    blocks = [slice(i, min(i + height, d)) for i in range(0, d, height)]
    step = min(n, max(_CHUNK_BYTES // (64 * d) * 8, _CHUNK_ROWS))
    order: Any = "C" if d < _SHORT_ROW else "F"
    Y, Z = np.empty((d, step), order=order), np.empty((d, step), order=order)
    origin = mu[:, None]
    if _SHORT_ROW <= d < _LONG_ROW and n > step:
        origin = np.asfortranarray(np.broadcast_to(origin, (d, step)))
    minus_halves = np.full(d, -0.5)
    result = np.empty(n)
    for start in range(0, n, step):
        part = result[start : start + step]
        y, z = Y[:, : part.size], Z[:, : part.size]
        subtract(X[start : start + step].T, origin[:, : part.size], y)
        if d == 1:  # a matrix of one entry is slow to multiply by
            np.multiply(y, whitener, out=z)
            np.multiply(z[0], z[0], out=part)
            part *= -0.5
        else:
            for block in blocks:
                np.matmul(whitener[block, : block.stop], y[: block.stop], out=z[block])
            np.multiply(z, z, out=z)
            np.matmul(minus_halves, z, out=part)
        part += constant
    if not is_finite(result):
        require_finite("X", X)
        a = int(np.argmin(np.isfinite(result)))
        raise ValueError(f"X[{a}] is so far from mu that the logarithm of its density is no float")
    return result


@quiet
def loglik(X: Any, mu: Any, Sigma: Any) -> float:
    r"""Log-likelihood of n independent rows, the sum of :func:`logpdf` over the rows of ``X``.

    .. math:: -\tfrac12\left(n d\log 2\pi + n\log|\Sigma| + \operatorname{tr}(\Sigma^{-1} T)\right),
        \qquad T = \sum_a (x_a-\mu)(x_a-\mu)^\top

    Parameters
    ----------
    X : array_like, shape (n, d), or NormalStatistics
        Data, one observation a row; or their :class:`mvnlib.NormalStatistics`.
    mu, Sigma
        As in :func:`logpdf`.

    Returns
    -------
    float
        A natural logarithm.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`logpdf`; a ValueError also if the log-likelihood is no float.

    Notes
    -----
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices; from statistics O(d^3).

    References
    ----------
    Rennie (2006), eq. (1), in the logarithm.

    Examples
    --------
    >>> X, mu, Sigma = [[1, 0], [0, 2]], [0, 0], [[2, 1], [1, 2]]
    >>> round(loglik(X, mu, Sigma), 4), round(float(logpdf(X, mu, Sigma).sum()), 4)
    (-6.441, -6.441)
    """
    _, units, L = as_scaled("Sigma", Sigma)
    P, log_constant = inverse_of_gram(L), _log_constant(L, units)
    del L  # in many dimensions these arrays are what needs memory
    d = len(P)
    n, _, T = sums(as_data("X", X, d), as_real("mu", mu, shape=(d,)), units)
    value = _loglik(n, T, P, log_constant)
    require_range("Sigma", value)
    return value


@quiet
def loglik_and_gradient(
    X: Any, mu: Any, Sigma: Any, *, convention: str = "entrywise"
) -> tuple[float, tuple[Array, Array]]:
    """:func:`loglik` and :func:`loglik_gradient` in one pass over the data, as an optimiser wants them.

    Parameters
    ----------
    X, mu, Sigma, convention
        As in :func:`loglik_gradient`.

    Returns
    -------
    value : float
    gradient : tuple of two ndarrays, shapes (d,) and (d, d)
        In mu and in Sigma.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`loglik_gradient`.

    Notes
    -----
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices; from statistics O(d^3).

    Examples
    --------
    >>> X, mu, Sigma = [[1, 0], [2, 3]], [0, 0], [[2, 1], [1, 2]]
    >>> value, (in_mu, in_Sigma) = loglik_and_gradient(X, mu, Sigma)
    >>> round(value, 4), in_mu.round(4)
    (-7.441, array([1., 1.]))

    From the statistics of two parts of the data:

    >>> total = NormalStatistics.from_data(X[:1]) + NormalStatistics.from_data(X[1:])
    >>> round(loglik_and_gradient(total, mu, Sigma)[0], 4)
    -7.441
    """
    one_of("convention", convention, CONVENTIONS)
    _, units, L = as_scaled("Sigma", Sigma)
    P, log_constant = inverse_of_gram(L), _log_constant(L, units)
    # In many dimensions these arrays are what needs memory, and new ones cost more than the sums in them.
    del L
    d = len(P)
    n, s, T = sums(as_data("X", X, d), as_real("mu", mu, shape=(d,)), units)
    value = _loglik(n, T, P, log_constant)
    in_mu = P @ s / units
    table = P @ T
    A = np.matmul(table, P, out=T)
    np.add(A, A.T, out=table)
    table /= 4
    P *= n / 2
    table -= P
    if convention == "free":
        table = converted(table, "frobenius", "free")
    table = rescaled(table, 1 / units)
    require_range("Sigma", value, in_mu, table)
    return value, (in_mu, table)


def loglik_gradient(X: Any, mu: Any, Sigma: Any, *, convention: str = "entrywise") -> tuple[Array, Array]:
    r"""Gradient of :func:`loglik` in the mean and in the covariance matrix.

    .. math:: \frac{\partial}{\partial\mu} = \Sigma^{-1} s, \qquad
        \frac{\partial}{\partial\Sigma} = -\tfrac12\left(n\Sigma^{-1} - \Sigma^{-1} T\, \Sigma^{-1}\right)

    .. math:: s = \sum_a (x_a-\mu),\qquad T = \sum_a (x_a-\mu)(x_a-\mu)^\top

    Parameters
    ----------
    X, mu, Sigma
        As in :func:`loglik`: ``X`` may be a :class:`mvnlib.NormalStatistics`.
    convention : {"entrywise", "frobenius", "free"}
        The table wanted for Sigma.  The display is ``entrywise``, which for a symmetric Sigma is also
        ``frobenius``; ``free`` is 2A - diag(A) of it.  See :mod:`mvnlib.conventions`.

    Returns
    -------
    gradient_mu : ndarray, shape (d,)
    gradient_Sigma : ndarray, shape (d, d), symmetric

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`loglik`, for an unknown ``convention``, and a ValueError if the gradient overflows.

    Notes
    -----
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices; from statistics O(d^3).

    References
    ----------
    Petersen and Pedersen (2012), eqs. (57), (61) and (86); for the factor, Rennie (2006), eqs. (7), (9) and
    (14).

    Examples
    --------
    >>> X, mu, Sigma = [[1, 0], [2, 3]], [0, 0], [[2, 1], [1, 2]]
    >>> in_mu, in_Sigma = loglik_gradient(X, mu, Sigma)
    >>> in_mu.round(4)
    array([1., 1.])
    >>> in_Sigma.round(4)
    array([[-0.3889,  0.4444],
           [ 0.4444,  0.2778]])
    >>> loglik_gradient(X, mu, Sigma, convention="free")[1].round(4)
    array([[-0.3889,  0.8889],
           [ 0.8889,  0.2778]])
    """
    return loglik_and_gradient(X, mu, Sigma, convention=convention)[1]


@quiet
def fit_normal(X: Any) -> tuple[Array, Array]:
    r"""Maximum likelihood estimate of the mean and the covariance matrix.

    .. math:: \hat\mu = \frac1n\sum_a x_a, \qquad
        \hat\Sigma = \frac1n\sum_a (x_a-\hat\mu)(x_a-\hat\mu)^\top

    Parameters
    ----------
    X : array_like, shape (n, d), or NormalStatistics
        Data, one observation a row; or their :class:`mvnlib.NormalStatistics`.

    Returns
    -------
    mu : ndarray, shape (d,)
    Sigma : ndarray, shape (d, d)
        With the divisor n, not n - 1; symmetric.

    Raises
    ------
    TypeError, ValueError
        As :meth:`mvnlib.NormalStatistics.from_data`.
    numpy.linalg.LinAlgError
        If the rows do not span the space about their mean (n <= d, a constant or a repeated column): the
        likelihood is then unbounded, and there is no estimate.

    Notes
    -----
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15.

    Examples
    --------
    >>> X = [[0, 0], [2, 0], [2, 4], [0, 4]]
    >>> mu, Sigma = fit_normal(X)
    >>> mu
    array([1., 2.])
    >>> Sigma
    array([[1., 0.],
           [0., 4.]])
    >>> bool(np.allclose(loglik_gradient(X, mu, Sigma)[1], 0))
    True
    """
    statistics = X if isinstance(X, NormalStatistics) else NormalStatistics.from_data(X)
    n, scatter = statistics.n, statistics.scatter
    d = len(scatter)
    if not n > 0:
        raise np.linalg.LinAlgError("X has no rows: there is no estimate")
    if not _least_correlation(scatter) > _ROUNDING * d * EPS:
        raise np.linalg.LinAlgError(f"{not_spanning(n, scatter)}: the likelihood is unbounded")
    Sigma = scatter / n
    if not np.isfinite(Sigma.diagonal()).all():
        raise ValueError(f"X has a scatter matrix that overflows when it is divided by its weight {n}")
    return statistics.mean.copy(), Sigma


def _least_correlation(scatter: Array) -> float:
    """The smallest eigenvalue of the correlation matrix: rank is a question about directions, not units."""
    spread = np.sqrt(scatter.diagonal())
    return float(np.linalg.eigvalsh(rescaled(scatter, 1 / spread))[0]) if spread.all() else 0.0


def not_spanning(n: float, scatter: Array) -> str:
    """What is wrong with n rows of which this scatter matrix is singular."""
    return (
        f"the {n:.15g} rows of X do not span its {len(scatter)} dimensions about their mean (smallest eigenvalue "
        f"of their correlation matrix {_least_correlation(scatter):.3g})"
    )


def _log_constant(L: Array, units: Units) -> float:
    """The log density at the mean."""
    return -0.5 * (len(L) * LOG_2PI + log_determinant(L, units))


def _loglik(n: float, T: Array, P: Array, log_constant: float) -> float:
    return n * log_constant - float(np.vdot(P, T)) / 2


def require_range(name: str, value: float, *gradient: Array) -> None:
    """Refuse a value and a gradient, in mu and the matrix named, of a log-likelihood that no float can hold."""
    if not isfinite(value):
        raise ValueError("X is so far from mu that its log-likelihood is no float")
    if not all(map(is_finite, gradient)):
        raise ValueError(
            f"X is so far from mu, or {name} so small, that the gradient of the log-likelihood overflows"
        )
