"""The normal density and its gradients, written for use: fast, stable, and tested against the table.

Data are rows: ``X`` has shape (n, d).  Everything goes through one Cholesky factor Sigma = L L^T, and the
log-likelihood of n rows with its gradients through the sums s = sum (x - mu) and T = sum (x - mu)(x - mu)^T,
which are gathered in one pass over ``X``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mvnlib._validation import Array, as_positive_definite, as_real, one_of
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.statistics import NormalStatistics, sums_about

__all__ = ["fit_normal", "loglik", "loglik_gradient", "logpdf"]

_LOG_2PI = float(np.log(2 * np.pi))
_CHUNK_BYTES = 1 << 20
#: What rounding leaves of an eigenvalue that is zero, in units of d eps: columns that are each other's sum or
#: multiple come out below 3.
_ROUNDING = 16


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
        symmetric.
    numpy.linalg.LinAlgError
        If ``Sigma`` is not positive definite.

    Notes
    -----
    O(n d^2 + d^3) time, about 1 MB beside the result: rows are whitened a chunk at a time.

    References
    ----------
    Rennie (2006), eq. (1), for one row, in the logarithm.
    """
    X, mu, _, L = _checked(X, mu, Sigma)
    whitener = _inverse_of_lower(L)
    result = np.empty(X.shape[0])
    for rows, Y in _deviations(X, mu):
        Z = Y @ whitener.T
        np.einsum("ij,ij->i", Z, Z, out=result[rows])
    result += mu.size * _LOG_2PI + _logdet_from_lower(L)
    result *= -0.5
    return result


def loglik(X: Any, mu: Any, Sigma: Any) -> float:
    r"""Log-likelihood of n independent rows, the sum of :func:`logpdf` over the rows of ``X``.

    .. math:: -\tfrac12\left(n d\log 2\pi + n\log|\Sigma| + \operatorname{tr}(\Sigma^{-1} T)\right),
        \qquad T = \sum_a (x_a-\mu)(x_a-\mu)^\top

    Parameters
    ----------
    X, mu, Sigma
        As in :func:`logpdf`.

    Returns
    -------
    float
        A natural logarithm.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`logpdf`.

    Notes
    -----
    O(n d^2 + d^3) time, about 1 MB of memory.

    References
    ----------
    Rennie (2006), eq. (1), in the logarithm.
    """
    X, mu, _, L = _checked(X, mu, Sigma)
    _, T = sums_about(X, mu)
    whitener = _inverse_of_lower(L)
    return _loglik(X.shape[0], L, whitener @ T @ whitener.T)


def loglik_gradient(X: Any, mu: Any, Sigma: Any, *, convention: str = "entrywise") -> tuple[Array, Array]:
    r"""Gradient of :func:`loglik` in the mean and in the covariance matrix.

    .. math:: \frac{\partial}{\partial\mu} = \Sigma^{-1} s, \qquad
        \frac{\partial}{\partial\Sigma} = -\tfrac12\left(n\Sigma^{-1} - \Sigma^{-1} T\, \Sigma^{-1}\right),
        \qquad s = \sum_a (x_a-\mu),\quad T = \sum_a (x_a-\mu)(x_a-\mu)^\top

    Parameters
    ----------
    X, mu, Sigma
        As in :func:`logpdf`.
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
        As :func:`logpdf`, and for an unknown ``convention``.

    Notes
    -----
    O(n d^2 + d^3) time, about 1 MB of memory beside the result.

    References
    ----------
    Petersen and Pedersen (2012), eqs. (57), (61) and (86); for the factor, Rennie (2006), eqs. (7), (9) and
    (14).
    """
    one_of("convention", convention, CONVENTIONS)
    X, mu, _, L = _checked(X, mu, Sigma)
    s, T = sums_about(X, mu)
    whitener = _inverse_of_lower(L)
    Z = whitener @ T @ whitener.T
    Z[np.diag_indices_from(Z)] -= X.shape[0]
    half_table = whitener.T @ Z @ whitener / 4
    return whitener.T @ (whitener @ s), convert_gradient(half_table + half_table.T, "entrywise", convention)


def fit_normal(X: Any) -> tuple[Array, Array]:
    r"""Maximum likelihood estimate of the mean and the covariance matrix.

    .. math:: \hat\mu = \frac1n\sum_a x_a, \qquad
        \hat\Sigma = \frac1n\sum_a (x_a-\hat\mu)(x_a-\hat\mu)^\top

    Parameters
    ----------
    X : array_like, shape (n, d)
        Data, one observation a row.

    Returns
    -------
    mu : ndarray, shape (d,)
    Sigma : ndarray, shape (d, d)
        With the divisor n, not n - 1; symmetric.

    Raises
    ------
    TypeError, ValueError
        If ``X`` is not a matrix of finite real numbers, or so large that its covariance matrix overflows.
    numpy.linalg.LinAlgError
        If the rows do not span the space about their mean (n <= d, a constant or a repeated column): the
        likelihood is then unbounded, and there is no estimate.

    Notes
    -----
    O(n d^2) time, about 256 kB of memory beside the result.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15, section 3.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is told of below
        statistics = NormalStatistics.from_data(X)
    Sigma = statistics.scatter / statistics.n
    n, d = int(statistics.n), Sigma.shape[0]
    spread = np.sqrt(Sigma.diagonal())
    if not np.isfinite(spread).all():
        raise ValueError("X is too large: its covariance matrix overflows; change its units")
    # Rank is a question about directions, not units: it is asked of the correlation matrix.
    lowest = np.linalg.eigvalsh(Sigma / np.outer(spread, spread))[0] if n > d and spread.all() else 0.0
    if not lowest > _ROUNDING * d * np.finfo(float).eps:
        raise np.linalg.LinAlgError(
            f"the {n} rows of X do not span its {d} dimensions about their mean (smallest eigenvalue of "
            f"their correlation matrix {lowest:.3g}): the likelihood is unbounded"
        )
    return statistics.mean, Sigma


def _checked(X: Any, mu: Any, Sigma: Any) -> tuple[Array, Array, Array, Array]:
    Sigma, L = as_positive_definite("Sigma", Sigma)
    d = Sigma.shape[0]
    return as_real("X", X, shape=(None, d)), as_real("mu", mu, shape=(d,)), Sigma, L


def _deviations(X: Array, mu: Array) -> Iterator[tuple[slice, Array]]:
    """The rows x - mu, a chunk at a time."""
    step = max(1, _CHUNK_BYTES // (8 * mu.size))
    for start in range(0, X.shape[0], step):
        rows = slice(start, start + step)
        yield rows, X[rows] - mu


def _loglik(n: int, L: Array, whitened_scatter: Array) -> float:
    return float(-0.5 * (n * (L.shape[0] * _LOG_2PI + _logdet_from_lower(L)) + np.trace(whitened_scatter)))


def _logdet_from_lower(L: Array) -> float:
    return float(2 * np.log(L.diagonal()).sum())


def _inverse_of_lower(L: Array) -> Array:
    """L^-1, for one matrix product over n rows; its error is that of a triangular solve times kappa(L)."""
    return np.tril(np.linalg.inv(L))
