r"""Other parameters than the covariance matrix: the factor L, the precision P, Cholesky and log-Cholesky
coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvnlib._scaling import (
    EPS,
    TINY,
    Array,
    Units,
    inverse_of_gram,
    inverse_of_lower,
    log_determinant,
    powers_of_two,
    rescaled,
    units_of,
)
from mvnlib._validation import (
    as_positive_definite,
    as_real,
    as_scaled,
    as_square,
    as_symmetric,
    one_of,
    quiet,
)
from mvnlib.conventions import CONVENTIONS, convert_gradient, vech_places
from mvnlib.normal import LOG_2PI, require_range
from mvnlib.ops import lower_half
from mvnlib.statistics import as_data, sums

__all__ = [
    "cholesky_differential",
    "cholesky_pullback",
    "from_log_cholesky",
    "log_cholesky",
    "loglik_and_gradient_factor",
    "loglik_and_gradient_precision",
    "loglik_gradient_factor",
    "loglik_gradient_precision",
]


def loglik_gradient_factor(X: Any, mu: Any, L: Any) -> tuple[Array, Array]:
    r"""Gradient of the log-likelihood in the mean and in a square factor L of Sigma = L L^T.

    .. math::
        \begin{aligned}
        \frac{\partial}{\partial\mu} &= \Sigma^{-1} s, \\
        \frac{\partial}{\partial L} &= -n\,\Sigma^{-1} L + \Sigma^{-1} T\, \Sigma^{-1} L
        = L^{-\top}\left(Z - n I\right), \qquad Z = L^{-1} T L^{-\top}
        \end{aligned}

    with s = sum (x - mu) and T = sum (x - mu)(x - mu)^T.

    Parameters
    ----------
    X : array_like, shape (n, d), or NormalStatistics
        Data, one observation a row; or their :class:`mvnlib.NormalStatistics`.
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
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices.  Relative rounding errors grow with
    the condition number of Sigma, the square of that of L.

    References
    ----------
    Rennie (2006), eqs. (7), (9) and (14), whose J is minus the log-likelihood.

    Examples
    --------
    By the chain rule it is 2 G L, with G the gradient in Sigma:

    >>> X, mu, L = [[1, 0], [0, 2]], [0, 0], np.array([[1.0, 0.0], [2.0, 1.0]])
    >>> loglik_gradient_factor(X, mu, L)[1].round(6)
    array([[  3., -14.],
           [ -2.,   6.]])
    >>> (2 * loglik_gradient(X, mu, L @ L.T)[1] @ L).round(6)
    array([[  3., -14.],
           [ -2.,   6.]])
    """
    return loglik_and_gradient_factor(X, mu, L)[1]


@quiet
def loglik_and_gradient_factor(X: Any, mu: Any, L: Any) -> tuple[float, tuple[Array, Array]]:
    """Log-likelihood at Sigma = L L^T with :func:`loglik_gradient_factor`, in one pass over the data.

    Parameters
    ----------
    X, mu, L
        As in :func:`loglik_gradient_factor`.

    Returns
    -------
    value : float
    gradient : tuple of two ndarrays, shapes (d,) and (d, d)
        In mu and in L.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`loglik_gradient_factor`.

    Notes
    -----
    O(n d^2 + d^3) time, less if ``L`` is lower triangular; less than 2 MB of memory beside d x d matrices.

    Examples
    --------
    >>> X, mu, L = [[1, 0], [2, 3]], [0, 0], [[1, 0], [1, 2]]
    >>> value, (in_mu, in_L) = loglik_and_gradient_factor(X, mu, L)
    >>> round(value, 4), round(loglik(X, mu, np.dot(L, np.transpose(L))), 4)
    (-7.812, -7.812)
    >>> in_L
    array([[ 2.75,  1.25],
           [ 0.25, -0.75]])
    """
    L = as_square("L", L)
    d = len(L)
    X, mu = as_data("X", X, d), as_real("mu", mu, shape=(d,))
    units, W, log_volume = _inverse_of_factor("L", L)
    n, s, T = sums(X, mu, units)
    P = W.T @ W
    M = P @ T
    value = -n * (d / 2 * LOG_2PI + log_volume) - float(np.trace(M)) / 2
    M[np.diag_indices(d)] -= n
    gradient = P @ s / units, (W @ M.T / units).T
    require_range("L", value, *gradient)
    return value, gradient


def loglik_gradient_precision(
    X: Any, mu: Any, P: Any, *, convention: str = "entrywise"
) -> tuple[Array, Array]:
    r"""Gradient of the log-likelihood in the mean and in the precision P = Sigma^-1.

    .. math:: \frac{\partial}{\partial\mu} = P s, \qquad
        \frac{\partial}{\partial P} = \tfrac12\left(n P^{-1} - T\right)

    with s = sum (x - mu) and T = sum (x - mu)(x - mu)^T.

    Parameters
    ----------
    X : array_like, shape (n, d), or NormalStatistics
        Data, one observation a row; or their :class:`mvnlib.NormalStatistics`.
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
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices; from statistics O(d^3).

    References
    ----------
    Petersen and Pedersen (2012), eqs. (57) and (72).

    Examples
    --------
    >>> in_mu, in_P = loglik_gradient_precision([[1, 0], [0, 2]], mu=[0, 0], P=np.eye(2))
    >>> in_mu
    array([1., 2.])
    >>> in_P
    array([[ 0.5,  0. ],
           [ 0. , -1. ]])
    """
    return loglik_and_gradient_precision(X, mu, P, convention=convention)[1]


@quiet
def loglik_and_gradient_precision(
    X: Any, mu: Any, P: Any, *, convention: str = "entrywise"
) -> tuple[float, tuple[Array, Array]]:
    """Log-likelihood at Sigma = P^-1 with :func:`loglik_gradient_precision`, in one pass over the data.

    Parameters
    ----------
    X, mu, P, convention
        As in :func:`loglik_gradient_precision`.

    Returns
    -------
    value : float
    gradient : tuple of two ndarrays, shapes (d,) and (d, d)
        In mu and in P.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`loglik_gradient_precision`.

    Notes
    -----
    O(n d^2 + d^3) time, less than 2 MB of memory beside d x d matrices; from statistics O(d^3).

    Examples
    --------
    >>> X, mu, P = [[1, 0], [2, 3]], [0, 0], [[2, 1], [1, 2]]
    >>> value, (in_mu, in_P) = loglik_and_gradient_precision(X, mu, P)
    >>> round(value, 4), round(loglik(X, mu, np.linalg.inv(P)), 4)
    (-22.5771, -22.5771)
    >>> in_mu
    array([9., 9.])
    """
    one_of("convention", convention, CONVENTIONS)
    P, per, root = as_scaled("P", P)  # P is one over a square of the units of X
    d = len(P)
    n, s, T = sums(as_data("X", X, d), as_real("mu", mu, shape=(d,)), 1 / per)
    P = rescaled(P, 1 / per)
    value = n / 2 * (log_determinant(root, per) - d * LOG_2PI) - float(np.vdot(P, T)) / 2
    table = (n * inverse_of_gram(root) - T) / 2
    if np.isfinite(table).all():
        table = rescaled(convert_gradient(table, "entrywise", convention), 1 / per)
    gradient = P @ s * per, table
    require_range("P", value, *gradient)
    return value, gradient


@quiet
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
    O(d^3) time and O(d^2) memory.

    References
    ----------
    Murray (2016), eq. (8).

    Examples
    --------
    >>> cholesky_differential(np.eye(2), [[2, 1], [1, 4]])
    array([[1., 0.],
           [1., 2.]])
    """
    L = _as_cholesky_factor("L", L)
    lengths = np.abs(L).max(axis=1)
    units = units_of(lengths)
    dS = as_real("dS", as_symmetric("dS", dS, deviations=lengths), shape=L.shape)
    R = (L.T / units).T
    W = inverse_of_lower(R)
    dL: Array = ((R @ lower_half(W @ rescaled(dS, 1 / units) @ W.T)).T * units).T
    if not np.isfinite(dL).all():
        raise ValueError("dS is so large, or L so nearly singular, that the change of L overflows")
    return dL


@quiet
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
    O(d^3) time and O(d^2) memory.

    References
    ----------
    Murray (2016), eqs. (9) and (10).

    Examples
    --------
    >>> L, dS = np.linalg.cholesky([[4, 2], [2, 3]]), np.array([[1, 2], [2, 5]])
    >>> L_bar = np.array([[1, 0], [3, 2]])
    >>> in_L = np.sum(L_bar * cholesky_differential(L, dS))
    >>> in_S = np.sum(cholesky_pullback(L, L_bar) * dS)
    >>> round(float(in_L), 6), round(float(in_S), 6)
    (5.173097, 5.173097)
    """
    L = _as_cholesky_factor("L", L)
    L_bar = as_real("L_bar", L_bar, shape=L.shape)
    units = units_of(np.abs(L).max(axis=1))
    R = (L.T / units).T
    W = inverse_of_lower(R)
    half = lower_half(L.T @ np.tril(L_bar))
    G = W.T @ (half / 2) @ W
    G = rescaled(G + G.T, 1 / units)
    if not np.isfinite(G).all():
        raise ValueError("L_bar is so large, or L so nearly singular, that the gradient in S overflows")
    return G


@quiet
def log_cholesky(S: Any) -> Array:
    """Coordinates of a positive definite matrix that may take any value.

    They are the entries of its Cholesky factor on and below the diagonal, those on the diagonal in the
    logarithm.

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
    O(d^3) time and O(d^2) memory.

    References
    ----------
    Pinheiro and Bates (1996), the log-Cholesky parametrization.

    Examples
    --------
    >>> log_cholesky([[1, 3], [3, 10]])
    array([0., 3., 0.])
    """
    _, L = as_positive_definite("S", S)
    L = L.copy()
    diagonal = np.diag_indices_from(L)
    L[diagonal] = np.log(L[diagonal])
    return L[vech_places(L.shape[0])]


@quiet
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
        large that the matrix overflows or a variance in it loses digits at zero.

    Notes
    -----
    O(d^3) time and O(d^2) memory.

    Examples
    --------
    Any three numbers make a covariance matrix:

    >>> from_log_cholesky([0, 3, 0])
    array([[ 1.,  3.],
           [ 3., 10.]])
    """
    theta = as_real("theta", theta, ndim=1)
    d = round((np.sqrt(8 * theta.size + 1) - 1) / 2)
    if d * (d + 1) // 2 != theta.size:
        raise ValueError(f"theta must have d (d + 1) / 2 entries for a whole d, but it has {theta.size}")
    L = np.zeros((d, d))
    L[vech_places(d)] = theta
    L[np.diag_indices(d)] = np.exp(L.diagonal())
    S = L @ L.T
    if not (np.isfinite(S).all() and (S.diagonal() >= TINY).all()):
        i = int(np.abs(theta).argmax())
        raise ValueError(f"theta must give variances between 1e-307 and 1e308, but theta[{i}] = {theta[i]}")
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


def _inverse_of_factor(name: str, L: Array) -> tuple[Units, Array, float]:
    """Units U of the rows of L, the inverse of U^-1 L, and log|det L|; L has full rank up to rounding.

    LAPACK would invert a matrix that is singular but for rounding.
    """
    units = units_of(np.abs(L).max(axis=1))
    R = (L.T / units).T
    lower = not np.triu(L, 1).any()
    # Rank is a question about directions, not units: it is asked of rows scaled to length one.
    length = np.linalg.norm(R, axis=1)
    try:
        if not length.all():
            raise np.linalg.LinAlgError
        if lower:
            W = inverse_of_lower(R)
        else:  # rows of one size, so that the choice of pivots does not depend on units either
            size = powers_of_two(np.abs(R).max(axis=1))
            W = np.linalg.inv((R.T / size).T) / size
        smallest = 1 / float(np.linalg.norm(W * length))
    except np.linalg.LinAlgError:
        smallest = 0.0
    if not smallest > 4 * len(L) * EPS:
        raise np.linalg.LinAlgError(
            f"{name} must have full rank, but with its rows scaled to length one its smallest singular value "
            f"is about {smallest:.3g}"
        )
    log_volume = np.log(np.abs(R.diagonal())).sum() if lower else np.linalg.slogdet(R)[1]
    return units, W, float(log_volume + np.log(np.broadcast_to(units, len(L))).sum())
