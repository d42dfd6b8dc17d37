r"""Second derivatives of the log-likelihood: Hessian, Fisher information, the Laplace approximation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mvnlib._mode import Target, deviations, find_peak
from mvnlib._validation import Array, as_number, as_positive_definite, as_real, as_symmetric
from mvnlib.statistics import sums_about

__all__ = ["Laplace", "fisher_information", "laplace", "loglik_hessian"]

_EPS = float(np.finfo(float).eps)


def loglik_hessian(X: Any, mu: Any, Sigma: Any, dmu: Any, dSigma: Any) -> tuple[Array, Array]:
    r"""Hessian of the log-likelihood in (mu, Sigma), applied to a direction.

    With P = Sigma^-1, s = sum (x - mu), T = sum (x - mu)(x - mu)^T and A = P T P,

    .. math::
        d g_\mu = -P\,(n\, d\mu + d\Sigma\, P s), \qquad
        d G = \tfrac12\left(M + M^\top\right) - \tfrac12\left(u v^\top + v u^\top\right),\qquad
        M = P\, d\Sigma\,\left(\tfrac n2 P - A\right),\ u = P\, d\mu,\ v = P s .

    Parameters
    ----------
    X : array_like, shape (n, d)
        Data, one observation a row.
    mu : array_like, shape (d,)
    Sigma : array_like, shape (d, d)
        Symmetric positive definite.
    dmu : array_like, shape (d,)
        Direction in the mean.
    dSigma : array_like, shape (d, d)
        Direction in the covariance matrix; symmetric.

    Returns
    -------
    change_mu : ndarray, shape (d,)
        The change of the gradient in mu, to first order.
    change_Sigma : ndarray, shape (d, d)
        The change of the ``frobenius`` gradient in Sigma (see :mod:`mvnlib.conventions`).

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, real and of the right shape, or ``Sigma`` or ``dSigma`` is not
        symmetric.
    numpy.linalg.LinAlgError
        If ``Sigma`` is not positive definite.

    Notes
    -----
    O(n d^2 + d^3) time and O(d^2) memory: no Kronecker product is formed.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15, for the second differential of the log-likelihood.
    """
    Sigma, _ = as_positive_definite("Sigma", Sigma)
    d = Sigma.shape[0]
    X, mu, dmu = (
        as_real("X", X, shape=(None, d)),
        as_real("mu", mu, shape=(d,)),
        as_real("dmu", dmu, shape=(d,)),
    )
    dSigma = as_real("dSigma", as_symmetric("dSigma", dSigma), shape=(d, d))
    n = X.shape[0]
    s, T = sums_about(X, mu)
    P = _precision(Sigma)
    u, v = P @ dmu, P @ s
    M = P @ dSigma @ (n / 2 * P - P @ T @ P) - np.outer(u, v)
    return -P @ (n * dmu + dSigma @ v), (M + M.T) / 2


def fisher_information(Sigma: Any) -> tuple[Array, Array]:
    r"""Expected Fisher information of one observation about mu and about vech(Sigma).

    .. math:: I_\mu = \Sigma^{-1}, \qquad I_{\operatorname{vech}\Sigma} =
        \tfrac12 D^\top(\Sigma^{-1}\otimes\Sigma^{-1})D

    with the duplication matrix D; the two blocks are uncorrelated.

    Parameters
    ----------
    Sigma : array_like, shape (d, d)
        Covariance matrix, symmetric positive definite.

    Returns
    -------
    information_mu : ndarray, shape (d, d)
    information_vech : ndarray, shape (p, p), p = d (d + 1) / 2
        In the order of :func:`mvnlib.vech`; these are second derivatives in the free entries (``free``).

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        If ``Sigma`` is not a symmetric positive definite matrix of finite real numbers.

    Notes
    -----
    Entry ((i, j), (k, l)) is w_ij w_kl (P_ik P_jl + P_il P_jk) with w = 1/2 on the diagonal and 1 off it:
    O(p^2) time, and no memory beyond the result but O(d p).  Neither D nor the Kronecker product is formed.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15, section 3.
    """
    Sigma, _ = as_positive_definite("Sigma", Sigma)
    P = _precision(Sigma)
    d = P.shape[0]
    columns, rows = np.triu_indices(d)  # the lower triangle, column by column, as vech stacks it
    weight = np.where(rows == columns, 0.5, 1.0)
    information = np.empty((rows.size, rows.size))
    start = 0
    for j in range(d):
        block = slice(start, start + d - j)
        below = P[j:]
        information[block] = below[:, rows] * P[j, columns]
        information[block] += below[:, columns] * P[j, rows]
        start += d - j
    information *= weight
    information *= weight[:, None]
    return P, information


class Laplace(NamedTuple):
    """A normal approximation of a density about its mode.

    ``mode`` (d,), ``covariance`` (d, d), and ``log_normaliser``, the logarithm of the integral of the
    density.
    """

    mode: Array
    covariance: Array
    log_normaliser: float


def laplace(
    log_density: Callable[[Array], float],
    start: Any,
    gradient: Callable[[Array], Any] | None = None,
    hessian: Callable[[Array], Any] | None = None,
) -> Laplace:
    r"""Laplace approximation: the normal distribution with the mode and the curvature of a density.

    .. math:: \log p(\theta) \approx \log p(\hat\theta) - \tfrac12(\theta-\hat\theta)^\top H\,
        (\theta-\hat\theta),
        \qquad H = -\frac{\partial^2\log p}{\partial\theta\,\partial\theta^\top}(\hat\theta),
        \quad \Sigma = H^{-1}

    Parameters
    ----------
    log_density : callable
        Logarithm of the density, up to a constant, of a point of shape (d,).
    start : array_like, shape (d,)
        Where the search for the mode begins.
    gradient, hessian : callable, optional
        First and second derivatives, shapes (d,) and (d, d); finite differences of the best function given
        stand in for what is missing.

    Returns
    -------
    Laplace
        ``mode``, ``covariance`` and ``log_normaliser``, log p(mode) + (d/2) log 2 pi - log|H| / 2.

    Raises
    ------
    TypeError, ValueError
        If ``start`` is not a vector of finite real numbers, the log density there is not a finite number, or
        a derivative given has the wrong shape.
    numpy.linalg.LinAlgError
        If there is nothing to approximate where the search ends: the log density is not strictly concave
        there (a saddle, a ridge), or still rises (an edge, no mode at all), or a hundredth of the standard
        deviations that its second derivatives promise it has not fallen by what they promise, within a
        factor of two (a flat top as of -theta^4, a kink).

    Notes
    -----
    Newton steps, halved until they rise.  Where ``log_density`` is not finite, or raises a ValueError or an
    ArithmeticError, it is taken for minus infinity, but not at ``start``.  A step costs 4 d + 2 d^2
    evaluations of ``log_density`` where nothing else is given, 4 d of ``gradient`` where that is.  Of
    several modes it finds one.

    References
    ----------
    Tierney and Kadane (1986).
    """
    functions = {"log_density": log_density, "gradient": gradient, "hessian": hessian}
    for name, function in functions.items():
        if not callable(function) and (function is not None or name == "log_density"):
            raise TypeError(f"{name} must be a function of a point, not {function!r}")
    start = as_real("start", start, ndim=1).copy()
    first = log_density(start.copy())
    as_number("log_density(start)", first)
    eps = float(np.finfo(np.result_type(first, np.float16)).eps) if hasattr(first, "dtype") else _EPS
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        peak = find_peak(Target(log_density, gradient, hessian, eps), start)
    root = deviations(peak)
    log_volume = float(np.linalg.slogdet(root)[1])
    normaliser = peak.value + start.size / 2 * float(np.log(2 * np.pi)) + log_volume
    return Laplace(peak.point, root.T @ root, normaliser)


def _precision(Sigma: Array) -> Array:
    P = np.linalg.inv(Sigma)
    return (P + P.T) / 2
