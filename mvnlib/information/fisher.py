r"""Second derivatives of the log-likelihood: Hessian, Fisher information, the Laplace approximation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mvnlib._scaling import EPS, TINY, Array, inverse_of_gram, rescaled
from mvnlib._validation import (
    as_number,
    as_positive,
    as_positive_definite,
    as_real,
    as_scaled,
    as_symmetric,
    is_finite,
    one_of,
    probing,
    quiet,
    quiet_around_functions,
)
from mvnlib._values import equal
from mvnlib.conventions import CONVENTIONS, converted, vech_places
from mvnlib.information.mode import Target, deviations, find_peak
from mvnlib.normal import LOG_2PI
from mvnlib.statistics import as_data, sums

__all__ = [
    "Laplace",
    "fisher_information",
    "fisher_information_inverse",
    "fisher_information_product",
    "laplace",
    "loglik_hessian",
    "loglik_hessian_operator",
    "natural_gradient",
]

_CHUNK_BYTES = 1 << 16

HessianOperator = Callable[[Any, Any], tuple[Array, Array]]


def loglik_hessian(X: Any, mu: Any, Sigma: Any, dmu: Any, dSigma: Any) -> tuple[Array, Array]:
    r"""Hessian of the log-likelihood in (mu, Sigma), applied to a direction.

    With P = Sigma^-1, s = sum (x - mu), T = sum (x - mu)(x - mu)^T and A = P T P,

    .. math::
        \begin{aligned}
        d g_\mu &= -P\,(n\, d\mu + d\Sigma\, P s), \\
        d G &= \tfrac12\left(M + M^\top\right) - \tfrac12\left(u v^\top + v u^\top\right), \\
        M &= P\, d\Sigma\,\left(\tfrac n2 P - A\right), \quad u = P\, d\mu, \quad v = P s .
        \end{aligned}

    g_mu and G are the gradients in mu and in Sigma, the second ``frobenius``.

    Parameters
    ----------
    X : array_like, shape (n, d), or NormalStatistics
        Data, one observation a row; or their :class:`mvnlib.NormalStatistics`.
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
        symmetric, or the result overflows.
    numpy.linalg.LinAlgError
        If ``Sigma`` is not positive definite.

    Notes
    -----
    O(n d^2 + d^3) time and O(d^2) memory: no Kronecker product is formed.  For many directions at one point see
    :func:`loglik_hessian_operator`.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15, for the second differential of the log-likelihood.

    Examples
    --------
    Moved in the mean alone, it is -n times the precision, and Sigma does not notice at the estimate:

    >>> X = [[0, 0], [2, 0], [2, 4], [0, 4]]
    >>> mu, Sigma = fit_normal(X)
    >>> change_mu, change_Sigma = loglik_hessian(X, mu, Sigma, dmu=[1, 1], dSigma=np.zeros((2, 2)))
    >>> change_mu
    array([-4., -1.])
    >>> bool(change_Sigma.any())
    False
    """
    return loglik_hessian_operator(X, mu, Sigma)(dmu, dSigma)


@quiet
def loglik_hessian_operator(X: Any, mu: Any, Sigma: Any) -> HessianOperator:
    """The Hessian at a point as a function of the direction: what does not depend on it is done once.

    Parameters
    ----------
    X, mu, Sigma
        As in :func:`loglik_hessian`.

    Returns
    -------
    callable
        ``operator(dmu, dSigma)`` is ``loglik_hessian(X, mu, Sigma, dmu, dSigma)``.  It can be pickled, and so be
        sent to another process.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`loglik_hessian`.

    Notes
    -----
    O(n d^2 + d^3) time at first; then two products of d x d matrices for each direction.

    Examples
    --------
    >>> X = [[0, 0], [2, 0], [2, 4], [0, 4]]
    >>> H = loglik_hessian_operator(X, *fit_normal(X))
    >>> H([1, 1], np.zeros((2, 2)))[0]
    array([-4., -1.])
    >>> H([0, 0], np.eye(2))[1]
    array([[-2.   ,  0.   ],
           [ 0.   , -0.125]])
    """
    Sigma, units, L = as_scaled("Sigma", Sigma)
    d = len(Sigma)
    n, s, T = sums(as_data("X", X, d), as_real("mu", mu, shape=(d,)), units)
    P = inverse_of_gram(L)
    half_C = rescaled(n / 4 * P - P @ T @ P / 2, 1 / units)
    v = P @ s / units
    P = rescaled(P, 1 / units)
    return partial(_hessian_product, n, P, half_C, v, np.sqrt(Sigma.diagonal()))


@quiet
def _hessian_product(
    n: float, P: Array, half_C: Array, v: Array, spread: Array, dmu: Any, dSigma: Any
) -> tuple[Array, Array]:
    d = len(v)
    dmu = as_real("dmu", dmu, shape=(d,))
    dSigma = as_symmetric("dSigma", dSigma, d, deviations=spread)
    M = P @ dSigma @ half_C
    if np.count_nonzero(dmu):
        M -= np.outer(P @ dmu, v / 2)
    in_mu, in_Sigma = P @ (-n * dmu - dSigma @ v), M + M.T
    if not (is_finite(in_mu) and is_finite(in_Sigma)):
        raise ValueError("the Hessian in the direction (dmu, dSigma) overflows; change the units of X")
    return in_mu, in_Sigma


@quiet
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
        If ``Sigma`` is not a symmetric positive definite matrix of finite real numbers, or the information
        is out of the range of floats.

    Notes
    -----
    Entry ((i, j), (k, l)) is w_ij w_kl (P_ik P_jl + P_il P_jk) with w = 1/2 on the diagonal and 1 off it:
    O(p^2) time, and no memory beyond the result but O(d p).  Neither D nor the Kronecker product is formed.
    To multiply by it is O(d^3) with :func:`fisher_information_product`; its inverse is
    :func:`fisher_information_inverse`.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15, section 3.

    Examples
    --------
    >>> in_mu, in_vech = fisher_information(np.diag([1.0, 4.0]))
    >>> in_mu
    array([[1.  , 0.  ],
           [0.  , 0.25]])
    >>> in_vech
    array([[0.5    , 0.     , 0.     ],
           [0.     , 0.25   , 0.     ],
           [0.     , 0.     , 0.03125]])
    """
    _, units, L = as_scaled("Sigma", Sigma)
    P = rescaled(inverse_of_gram(L), 1 / units)
    information = _products_of_pairs(P, halved=True)
    # P is in range where the products of its entries are.
    return P, _in_range(information, "its Fisher information")


@quiet
def fisher_information_inverse(Sigma: Any) -> tuple[Array, Array]:
    r"""Inverse of :func:`fisher_information`, in closed form.

    .. math:: I_\mu^{-1} = \Sigma, \qquad
        \left(I_{\operatorname{vech}\Sigma}^{-1}\right)_{(i,j),(k,l)} =
        \Sigma_{ik}\Sigma_{jl} + \Sigma_{il}\Sigma_{jk}

    It is the Cramer-Rao bound: n times the smallest covariance matrix that unbiased estimates of mu and of
    vech(Sigma) from n observations can have.

    Parameters
    ----------
    Sigma : array_like, shape (d, d)
        Covariance matrix, symmetric positive definite.

    Returns
    -------
    inverse_mu : ndarray, shape (d, d)
    inverse_vech : ndarray, shape (p, p), p = d (d + 1) / 2
        In the order of :func:`mvnlib.vech`.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`fisher_information`.

    Notes
    -----
    O(p^2) time, and no memory beyond the result but O(d p).  Nothing is inverted, so no digits are lost.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15.

    Examples
    --------
    How far estimates of the three entries of Sigma from one observation may vary, at least:

    >>> _, bound = fisher_information_inverse([[1, 0], [0, 4]])
    >>> bound
    array([[ 2.,  0.,  0.],
           [ 0.,  4.,  0.],
           [ 0.,  0., 32.]])
    """
    Sigma, _ = as_positive_definite("Sigma", Sigma)
    Sigma = Sigma / 2 + Sigma.T / 2
    inverse = _products_of_pairs(Sigma, halved=False)
    return Sigma, _in_range(inverse, "the inverse of its Fisher information")


@quiet
def fisher_information_product(Sigma: Any, dmu: Any, dSigma: Any) -> tuple[Array, Array]:
    r"""Fisher information of one observation, applied to a direction, without forming it.

    .. math:: \left(\Sigma^{-1} d\mu,\; \tfrac12\,\Sigma^{-1}\, d\Sigma\, \Sigma^{-1}\right)

    The second part is a ``frobenius`` table (see :mod:`mvnlib.conventions`); in the free entries it is
    :math:`I_{\operatorname{vech}\Sigma} \operatorname{vech}(d\Sigma)`.  The expected value of
    :func:`loglik_hessian`, where mu and Sigma are the true ones, is minus n times this.

    Parameters
    ----------
    Sigma : array_like, shape (d, d)
        Covariance matrix, symmetric positive definite.
    dmu : array_like, shape (d,)
        Direction in the mean.
    dSigma : array_like, shape (d, d)
        Direction in the covariance matrix; symmetric.

    Returns
    -------
    product_mu : ndarray, shape (d,)
    product_Sigma : ndarray, shape (d, d), symmetric

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`loglik_hessian`.

    Notes
    -----
    O(d^3) time and O(d^2) memory.

    References
    ----------
    Magnus and Neudecker (2019), ch. 15, section 3.

    Examples
    --------
    >>> in_mu, in_Sigma = fisher_information_product([[1, 0], [0, 4]], dmu=[1, 1], dSigma=[[0, 1], [1, 2]])
    >>> in_mu
    array([1.  , 0.25])
    >>> in_Sigma
    array([[0.    , 0.125 ],
           [0.125 , 0.0625]])
    """
    Sigma, units, L = as_scaled("Sigma", Sigma)
    d = len(Sigma)
    dmu = as_real("dmu", dmu, shape=(d,))
    dSigma = as_symmetric("dSigma", dSigma, d, deviations=np.sqrt(Sigma.diagonal()))
    P = rescaled(inverse_of_gram(L), 1 / units)
    M = P @ dSigma @ P / 4
    in_mu, in_Sigma = P @ dmu, M + M.T
    if not (is_finite(in_mu) and is_finite(in_Sigma)):
        raise ValueError(
            "the information in the direction (dmu, dSigma) overflows; change the units of Sigma"
        )
    return in_mu, in_Sigma


@quiet
def natural_gradient(
    Sigma: Any, gradient_mu: Any, gradient_Sigma: Any, *, convention: str = "entrywise"
) -> tuple[Array, Array]:
    r"""The direction of steepest ascent in the metric of the Fisher information.

    .. math:: \left(\Sigma\, g,\; 2\,\Sigma\, A\, \Sigma\right), \qquad A = \tfrac12\left(G + G^\top\right)

    with g and G the gradients: the inverse of :func:`fisher_information_product`.  Of the log-likelihood of n
    rows a step of 1/n along it leads from any Sigma, at mu, to the scatter matrix about mu over n.

    Parameters
    ----------
    Sigma : array_like, shape (d, d)
        Covariance matrix, symmetric positive definite.
    gradient_mu : array_like, shape (d,)
    gradient_Sigma : array_like, shape (d, d)
        The table G, in the convention named.
    convention : {"entrywise", "frobenius", "free"}
        How to read ``gradient_Sigma``.

    Returns
    -------
    dmu : ndarray, shape (d,)
    dSigma : ndarray, shape (d, d), symmetric
        A direction: what is added to mu and Sigma.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        If an argument is not finite, real and of the right shape, ``Sigma`` not symmetric positive definite,
        ``convention`` unknown, a ``frobenius`` or ``free`` table not symmetric, or the result overflows.

    Notes
    -----
    O(d^3) time and O(d^2) memory; nothing is inverted.

    References
    ----------
    Amari (1998), Neural Computation 10, 251-276.

    Examples
    --------
    One step leads to the estimate, from wherever it starts with the right mean:

    >>> X, mu, Sigma = [[0, 0], [2, 0], [2, 4], [0, 4]], [1, 2], np.array([[3, 1], [1, 2]])
    >>> dmu, dSigma = natural_gradient(Sigma, *loglik_gradient(X, mu, Sigma))
    >>> (Sigma + dSigma / 4).round(12) + 0.0
    array([[1., 0.],
           [0., 4.]])
    """
    one_of("convention", convention, CONVENTIONS)
    Sigma, _, _ = as_scaled("Sigma", Sigma)
    d = len(Sigma)
    gradient_mu = as_real("gradient_mu", gradient_mu, shape=(d,))
    if convention == "entrywise":
        G = as_real("gradient_Sigma", gradient_Sigma, shape=(d, d))
    else:
        G = as_symmetric("gradient_Sigma", gradient_Sigma, d, rtol=1e-8)  # as convert_gradient asks for
    M = Sigma @ converted(G, convention, "frobenius") @ Sigma
    dmu, dSigma = Sigma @ gradient_mu, M + M.T
    if not (is_finite(dmu) and is_finite(dSigma)):
        raise ValueError("the natural gradient overflows; change the units of Sigma")
    return dmu, dSigma


class Laplace(NamedTuple):
    """A normal approximation of a density about its mode.

    Attributes
    ----------
    mode : ndarray, shape (d,)
    covariance : ndarray, shape (d, d)
    log_normaliser : float
        Logarithm of the integral of the density.
    """

    mode: Array
    covariance: Array
    log_normaliser: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and len(self) == len(other) and all(map(equal, self, other))

    def __ne__(self, other: object) -> bool:
        return not self == other


@quiet_around_functions
def laplace(
    log_density: Callable[[Array], float],
    start: Any,
    gradient: Callable[[Array], Any] | None = None,
    hessian: Callable[[Array], Any] | None = None,
    *,
    noise: float | None = None,
    step: float | None = None,
) -> Laplace:
    r"""Laplace approximation: the normal distribution with the mode and the curvature of a density.

    .. math::
        \begin{aligned}
        \log p(\theta) &\approx \log p(\hat\theta) - \tfrac12(\theta-\hat\theta)^\top H\, (\theta-\hat\theta), \\
        H &= -\frac{\partial^2\log p}{\partial\theta\,\partial\theta^\top}(\hat\theta), \quad \Sigma = H^{-1}
        \end{aligned}

    Parameters
    ----------
    log_density : callable
        Logarithm of the density, up to a constant, of a point of shape (d,).
    start : array_like, shape (d,)
        Where the search for the mode begins.
    gradient, hessian : callable, optional
        First and second derivatives, shapes (d,) and (d, d); finite differences of the best function given
        stand in for what is missing.
    noise : float, optional
        How far values of the log density are off, one standard deviation; by default measured, as in
        :func:`mvnlib.fd_gradient`, on a line through ``start``.
    step : float, optional
        The step of the differences of ``log_density``, in standard deviations; by default it follows the noise.

    Returns
    -------
    Laplace
        ``mode``, ``covariance`` and ``log_normaliser``, which is :math:`\log p(\hat\theta) + \frac d2 \log
        2\pi - \frac12 \log|H|`.

    Raises
    ------
    TypeError, ValueError
        If ``start`` is not a vector of finite real numbers, the log density there is not a finite number, or
        a derivative given has the wrong shape, or at the mode is not that of the log density (see Notes).
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

    What is given is compared at the mode with differences of ``log_density`` along the standard deviations
    and along d mixed directions, and ``hessian`` with differences of ``gradient``: a slope above two
    thousandths (in standard deviations), or a curvature wrong by that share, is refused.  That takes 8 d
    evaluations, and 4 d of ``gradient``.

    References
    ----------
    Tierney and Kadane (1986).

    Examples
    --------
    Stirling's formula, for :math:`\int_0^\infty t^{10} e^{-t}\, dt = 10!`:

    >>> found = laplace(lambda t: 10 * np.log(t[0]) - t[0], start=[5.0])
    >>> found.mode.round(4), found.covariance.round(4)
    (array([10.]), array([[10.]]))
    >>> round(found.log_normaliser, 3), round(float(np.log(np.arange(1, 11)).sum()), 3)
    (15.096, 15.104)
    """
    functions = {"log_density": log_density, "gradient": gradient, "hessian": hessian}
    for name, function in functions.items():
        if not callable(function) and (function is not None or name == "log_density"):
            raise TypeError(f"{name} must be a function of a point, not {function!r}")
    start = as_real("start", start, ndim=1).copy()
    first = log_density(start.copy())
    value = as_number("log_density(start)", first)
    step = None if step is None else as_positive("step", step)
    noise = None if noise is None else as_positive("noise", noise)
    eps = (
        float(np.finfo(np.result_type(np.asarray(first), np.float16)).eps) if hasattr(first, "dtype") else EPS
    )
    with probing():
        target = Target(log_density, gradient, hessian, eps, step)
        found = target.noise_near(start) if noise is None else noise
        # What rounding explains is no noise.
        eps = max(eps, found / max(1.0, abs(value))) if found > 64 * eps * max(1.0, abs(value)) else eps
        peak = find_peak(replace(target, eps=eps), start)
    root = deviations(peak)
    log_volume = float(np.linalg.slogdet(root)[1])
    normaliser = peak.value + start.size / 2 * LOG_2PI + log_volume
    covariance = root.T @ root
    if not is_finite(covariance):
        raise ValueError(
            "log_density is so flat about its mode that the covariance is no float; change the units"
        )
    return Laplace(peak.point, covariance, normaliser)


def _products_of_pairs(M: Array, *, halved: bool) -> Array:
    """The matrix of w_ij w_kl (M_ik M_jl + M_il M_jk) over pairs i >= j and k >= l in the order of vech.

    w is 1, and 1/2 for a pair i = j if ``halved``.  M is symmetric.
    """
    rows, columns = vech_places(len(M))
    of_rows, of_columns = M.take(rows, axis=1), M.take(columns, axis=1)  # M_ik and M_jl, for all (k, l)
    if halved:
        equal = np.flatnonzero(rows == columns)
        of_rows[:, equal] /= 2
    result = np.empty((rows.size, rows.size))
    step = max(1, _CHUNK_BYTES // (8 * rows.size))
    for start in range(0, rows.size, step):
        part = slice(start, start + step)
        i, j = rows[part], columns[part]
        np.multiply(of_rows.take(i, axis=0), of_columns.take(j, axis=0), out=result[part])
        crossed = of_columns.take(i, axis=0)
        crossed *= of_rows.take(j, axis=0)
        result[part] += crossed
    if halved:
        result[equal] /= 2
    return result


def _in_range(M: Array, what: str) -> Array:
    """``M``, a positive definite matrix, if its diagonal has neither overflown nor lost digits at zero."""
    diagonal = M.diagonal()
    if not (diagonal.min() >= TINY and diagonal.max() < np.inf):
        raise ValueError(
            f"Sigma is of a size at which {what} is out of the range of floats; change its units"
        )
    return M
