r"""Other parameters than the covariance matrix: the factor L, the precision P, Cholesky and log-Cholesky
coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvnlib._validation import Array, as_positive_definite, as_real, as_square, as_symmetric, one_of
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.ops import lower_half
from mvnlib.statistics import sums_about

__all__ = [
    "cholesky_differential",
    "cholesky_pullback",
    "from_log_cholesky",
    "log_cholesky",
    "loglik_gradient_factor",
    "loglik_gradient_precision",
]


def loglik_gradient_factor(X: Any, mu: Any, L: Any) -> tuple[Array, Array]:
    r"""Gradient of the log-likelihood in the mean and in a square factor L of Sigma = L L^T.

    .. math:: \frac{\partial}{\partial\mu} = \Sigma^{-1} s,\qquad
        \frac{\partial}{\partial L} = -n\,\Sigma^{-1} L + \Sigma^{-1} T\, \Sigma^{-1} L = L^{-\top}\left(Z -
        n I\right), \qquad Z = L^{-1} T L^{-\top}

    with s = sum (x - mu) and T = sum (x - mu)(x - mu)^T.

    Parameters
    ----------
    X : array_like, shape (n, d)
    mu : array_like, shape (d,)
    L : array_like, shape (d, d)
        Any invertible factor; a lower triangular one is a special case, whose own gradient is the lower
        triangle of the result.

    Returns
    -------
    gradient_mu : ndarray, shape (d,)
    gradient_L : ndarray, shape (d, d)
        ``entrywise``: all d^2 entries of L are free.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, real and of the right shape.
    numpy.linalg.LinAlgError
        If ``L`` is singular: then Sigma has no density.

    Notes
    -----
    O(n d^2 + d^3) time, about 1 MB of memory.  Relative rounding errors grow with the condition number of
    Sigma, the square of that of L.

    References
    ----------
    Rennie (2006), eqs. (7), (9) and (14), whose J is minus the log-likelihood.
    """
    L = as_square("L", L)
    d = L.shape[0]
    X, mu = as_real("X", X, shape=(None, d)), as_real("mu", mu, shape=(d,))
    # Rows at length one, a factor of the correlation matrix: rank is a question about directions, not units.
    R, length = _unit_rows("L", L)
    s, T = sums_about(X, mu)
    Z = np.linalg.solve(R, np.linalg.solve(R, T / np.outer(length, length)).T)
    Z[np.diag_indices(d)] -= X.shape[0]
    in_mu = np.linalg.solve(R.T, np.linalg.solve(R, s / length))
    return in_mu / length, np.linalg.solve(R.T, Z) / length[:, None]


def loglik_gradient_precision(
    X: Any, mu: Any, P: Any, *, convention: str = "entrywise"
) -> tuple[Array, Array]:
    r"""Gradient of the log-likelihood in the mean and in the precision P = Sigma^-1.

    .. math:: \frac{\partial}{\partial\mu} = P s, \qquad
        \frac{\partial}{\partial P} = \tfrac12\left(n P^{-1} - T\right)

    with s = sum (x - mu) and T = sum (x - mu)(x - mu)^T.

    Parameters
    ----------
    X : array_like, shape (n, d)
    mu : array_like, shape (d,)
    P : array_like, shape (d, d)
        Precision, symmetric positive definite.
    convention : {"entrywise", "frobenius", "free"}
        The table wanted for P; the display is ``entrywise`` and, P being symmetric, ``frobenius``.

    Returns
    -------
    gradient_mu : ndarray, shape (d,)
    gradient_P : ndarray, shape (d, d), symmetric

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, real and of the right shape, ``P`` not symmetric, or ``convention``
        unknown.
    numpy.linalg.LinAlgError
        If ``P`` is not positive definite.

    Notes
    -----
    O(n d^2 + d^3) time.

    References
    ----------
    Petersen and Pedersen (2012), eqs. (57) and (72).
    """
    one_of("convention", convention, CONVENTIONS)
    P, _ = as_positive_definite("P", P)
    d = P.shape[0]
    X, mu = as_real("X", X, shape=(None, d)), as_real("mu", mu, shape=(d,))
    s, T = sums_about(X, mu)
    quarter = (X.shape[0] * np.linalg.inv(P) - T) / 4
    return P @ s, convert_gradient(quarter + quarter.T, "entrywise", convention)


def cholesky_differential(L: Any, dS: Any) -> Array:
    r"""Differential of the Cholesky factor: the change of L when S = L L^T changes by dS.

    .. math:: dL = L\,\Phi\!\left(L^{-1}\, dS\, L^{-\top}\right)

    where Phi keeps the lower triangle and halves the diagonal.

    Parameters
    ----------
    L : array_like, shape (d, d)
        Cholesky factor: lower triangular with positive diagonal.
    dS : array_like, shape (d, d)
        Direction; symmetric.

    Returns
    -------
    ndarray, shape (d, d)
        Lower triangular.

    Raises
    ------
    TypeError, ValueError
        If ``L`` is not lower triangular with positive diagonal, or ``dS`` not symmetric.

    Notes
    -----
    O(d^3) time.

    References
    ----------
    Murray (2016), eq. (8).
    """
    L = _as_cholesky_factor("L", L)
    dS = as_real("dS", as_symmetric("dS", dS), shape=L.shape)
    dL: Array = L @ lower_half(np.linalg.solve(L, np.linalg.solve(L, dS).T))
    return dL


def cholesky_pullback(L: Any, L_bar: Any) -> Array:
    r"""Gradient in S of a function of its Cholesky factor, from the gradient in the factor.

    .. math:: G = \tfrac12 L^{-\top}\left(\Phi(L^\top \bar L) + \Phi(L^\top \bar L)^\top\right) L^{-1}

    where Phi keeps the lower triangle and halves the diagonal.  It is the transpose of
    :func:`cholesky_differential`: <L_bar, dL> = <G, dS>.

    Parameters
    ----------
    L : array_like, shape (d, d)
        Cholesky factor: lower triangular with positive diagonal.
    L_bar : array_like, shape (d, d)
        Gradient with respect to the entries of L; only its lower triangle is read, the others of L being
        fixed at zero.

    Returns
    -------
    ndarray, shape (d, d), symmetric
        The ``frobenius`` gradient in S.

    Raises
    ------
    TypeError, ValueError
        If ``L`` is not lower triangular with positive diagonal, or the shapes differ.

    Notes
    -----
    O(d^3) time.

    References
    ----------
    Murray (2016), eq. (10).
    """
    L = _as_cholesky_factor("L", L)
    L_bar = as_real("L_bar", L_bar, shape=L.shape)
    half = lower_half(L.T @ L_bar)  # L^T L_bar, on and below its diagonal, has not met L_bar above it
    middle = np.linalg.solve(L.T, (half + half.T) / 2)
    G = np.linalg.solve(L.T, middle.T)
    return (G + G.T) / 2


def log_cholesky(S: Any) -> Array:
    """Coordinates of a positive definite matrix that may take any value: the logarithms of the diagonal of
    its Cholesky factor in the places of the diagonal, and the entries below it as they are.

    Parameters
    ----------
    S : array_like, shape (d, d)
        Symmetric positive definite.

    Returns
    -------
    ndarray, shape (p,), p = d (d + 1) / 2
        In the order of :func:`mvnlib.vech`.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        If ``S`` is not a symmetric positive definite matrix of finite real numbers.

    Notes
    -----
    O(d^3) time.

    References
    ----------
    Pinheiro and Bates (1996), section 2.2.
    """
    _, L = as_positive_definite("S", S)
    L = L.copy()
    diagonal = np.diag_indices_from(L)
    L[diagonal] = np.log(L[diagonal])
    columns, rows = np.triu_indices(L.shape[0])
    return L[rows, columns]


def from_log_cholesky(theta: Any) -> Array:
    """The positive definite matrix with given :func:`log_cholesky` coordinates.

    Parameters
    ----------
    theta : array_like, shape (p,), p = d (d + 1) / 2

    Returns
    -------
    ndarray, shape (d, d)
        Symmetric, positive definite but for rounding.

    Raises
    ------
    TypeError, ValueError
        If ``theta`` is not a vector of finite real numbers of length d (d + 1) / 2, or its entries are so
        large that the matrix overflows or a variance in it is lost to rounding at zero.
    """
    theta = as_real("theta", theta, ndim=1)
    d = round((np.sqrt(8 * theta.size + 1) - 1) / 2)
    if d * (d + 1) // 2 != theta.size:
        raise ValueError(f"theta must have d (d + 1) / 2 entries for a whole d, but it has {theta.size}")
    L = np.zeros((d, d))
    columns, rows = np.triu_indices(d)
    L[rows, columns] = theta
    with np.errstate(over="ignore"):
        L[np.diag_indices(d)] = np.exp(L.diagonal())
        S = L @ L.T
    if not (np.isfinite(S).all() and S.diagonal().all()):
        i = int(np.abs(theta).argmax())
        raise ValueError(
            f"theta must give a finite matrix without zero variances, but theta[{i}] = {theta[i]}"
        )
    return S


def _as_cholesky_factor(name: str, value: Any) -> Array:
    L = as_square(name, value)
    if np.triu(L, 1).any():
        i, j = (int(k) for k in np.argwhere(np.triu(L, 1))[0])
        raise ValueError(f"{name} must be lower triangular, but {name}[{i}, {j}] = {L[i, j]}")
    if not (L.diagonal() > 0).all():
        i = int(np.argmin(L.diagonal()))
        raise ValueError(f"{name} must have a positive diagonal, but {name}[{i}, {i}] = {L[i, i]}")
    return L


def _unit_rows(name: str, L: Array) -> tuple[Array, Array]:
    """L with its rows scaled to length one, and their lengths; L has full rank up to rounding.

    LAPACK would invert a matrix that is singular but for rounding.
    """
    largest = np.abs(L).max(axis=1)
    smallest = 0.0
    if largest.all():
        length = largest * np.linalg.norm(L / largest[:, None], axis=1)
        R = L / length[:, None]
        smallest = float(np.linalg.svd(R, compute_uv=False)[-1])
    if not smallest > 4 * len(L) * np.finfo(float).eps:
        raise np.linalg.LinAlgError(
            f"{name} must have full rank, but with its rows scaled to length one its smallest singular value "
            f"is {smallest:.3g}"
        )
    return R, length
