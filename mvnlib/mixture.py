r"""Mixtures of normal distributions: likelihood, responsibilities, gradients and EM.

A mixture of K components in dimension d is three arrays: ``weights`` (K,), ``means`` (K, d) and
``covariances`` (K, d, d).  Densities are handled in the logarithm, so a point far from every component has
responsibilities that sum to one, not 0 / 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvnlib._validation import (
    Array,
    as_dimension,
    as_generator,
    as_positive,
    as_positive_definite,
    as_real,
    one_of,
)
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.statistics import NormalStatistics

__all__ = ["Mixture", "em_step", "fit_mixture", "mixture_gradient", "mixture_loglik", "responsibilities"]

_CHUNK_BYTES = 1 << 19
_LOG_2PI = float(np.log(2 * np.pi))
_EPS = float(np.finfo(float).eps)
_PATIENCE = 2.0  # seconds without a sign of progress


def mixture_loglik(X: Any, weights: Any, means: Any, covariances: Any) -> float:
    r"""Log-likelihood of n rows under a mixture of normal distributions.

    .. math:: \sum_{a=1}^n \log \sum_{k=1}^K \pi_k\, N(x_a \mid \mu_k, \Sigma_k)

    Parameters
    ----------
    X : array_like, shape (n, d)
        Data, one observation a row.
    weights : array_like, shape (K,)
        The pi_k: not negative, not all zero.  They are taken as they are; for a distribution they sum to one.
    means : array_like, shape (K, d)
    covariances : array_like, shape (K, d, d)
        Each symmetric positive definite.

    Returns
    -------
    float
        A natural logarithm.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, real and of the right shape, a covariance not symmetric, a weight
        negative, or a row so far out that the logarithm of its density is no float.
    numpy.linalg.LinAlgError
        If a covariance is not positive definite; the message names the component.

    Notes
    -----
    O(n K d^2) time; memory of about 1 MB.

    References
    ----------
    Dempster, Laird and Rubin (1977), section 4.3.

    Examples
    --------
    >>> X, weights, means, covariances = [[-1], [0], [1]], [0.5, 0.5], [[-1], [1]], [[[1]], [[1]]]
    >>> round(mixture_loglik(X, weights, means, covariances), 4)
    -4.3893
    """
    mixture = _checked(X, weights, means, covariances)
    return float(sum(total.sum() for _, total, _ in mixture.posteriors()))


def responsibilities(X: Any, weights: Any, means: Any, covariances: Any) -> Array:
    r"""Posterior probabilities of the components given each row.

    .. math:: r_{ak} = \frac{\pi_k N(x_a \mid \mu_k, \Sigma_k)}{\sum_j \pi_j N(x_a \mid \mu_j, \Sigma_j)}

    Parameters
    ----------
    X, weights, means, covariances
        As in :func:`mixture_loglik`.

    Returns
    -------
    ndarray, shape (n, K)
        Each row sums to one, also where every density underflows.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`mixture_loglik`.

    Notes
    -----
    O(n K d^2) time; memory of about 1 MB beside the result.

    Examples
    --------
    >>> X, weights, means, covariances = [[-1], [0], [1e6]], [0.5, 0.5], [[-1], [1]], [[[1]], [[1]]]
    >>> responsibilities(X, weights, means, covariances).round(4)
    array([[0.8808, 0.1192],
           [0.5   , 0.5   ],
           [0.    , 1.    ]])
    """
    mixture = _checked(X, weights, means, covariances)
    result = np.empty((mixture.X.shape[0], mixture.weights.size))
    for rows, _, r in mixture.posteriors():
        result[rows] = r.T
    return result


def mixture_gradient(
    X: Any, weights: Any, means: Any, covariances: Any, *, convention: str = "entrywise"
) -> tuple[Array, Array, Array]:
    r"""Gradient of :func:`mixture_loglik` in weights, means and covariances.

    With N_k = sum_a r_ak and the sums s_k, T_k of x - mu_k and (x - mu_k)(x - mu_k)^T weighted by r_ak,

    .. math:: \frac{\partial}{\partial\pi_k} = \frac{N_k}{\pi_k},\quad
        \frac{\partial}{\partial\mu_k} = \Sigma_k^{-1} s_k,\quad
        \frac{\partial}{\partial\Sigma_k} = -\tfrac12\left(N_k\Sigma_k^{-1} - \Sigma_k^{-1} T_k\,
        \Sigma_k^{-1}\right)

    Parameters
    ----------
    X, weights, means, covariances
        As in :func:`mixture_loglik`; the weights as free positive numbers, without the constraint that they
        sum to one.
    convention : {"entrywise", "frobenius", "free"}
        The table wanted for the covariances; the display is ``entrywise`` and ``frobenius``.

    Returns
    -------
    gradient_weights : ndarray, shape (K,)
    gradient_means : ndarray, shape (K, d)
    gradient_covariances : ndarray, shape (K, d, d)

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`mixture_loglik`; a weight of zero, and an unknown ``convention``, are ValueErrors.

    Notes
    -----
    O(n K d^2) time.

    Examples
    --------
    >>> X, weights, means, covariances = [[-1], [0], [1]], [0.5, 0.5], [[-1], [1]], [[[1]], [[1]]]
    >>> in_weights, in_means, in_covariances = mixture_gradient(X, weights, means, covariances)
    >>> in_means.round(4)
    array([[ 0.7384],
           [-0.7384]])
    >>> round(float(weights @ in_weights), 6)  # the number of rows
    3.0
    """
    one_of("convention", convention, CONVENTIONS)
    mixture = _checked(X, weights, means, covariances)
    if not (mixture.weights > 0).all():
        k = int(np.argmin(mixture.weights))
        raise ValueError(
            f"weights must be positive to be differentiated in, but weights[{k}] = {mixture.weights[k]}"
        )
    N, s, T = mixture.sums_about_means()
    K, d = mixture.means.shape
    slopes_mean, slopes_covariance = np.empty((K, d)), np.empty((K, d, d))
    for k, root in enumerate(mixture.roots):
        Z = root @ T[k] @ root.T
        Z[np.diag_indices(d)] -= N[k]
        quarter = root.T @ Z @ root / 4
        slopes_mean[k] = root.T @ (root @ s[k])
        slopes_covariance[k] = convert_gradient(quarter + quarter.T, "entrywise", convention)
    return N / mixture.weights, slopes_mean, slopes_covariance


def em_step(X: Any, weights: Any, means: Any, covariances: Any) -> tuple[Array, Array, Array, float]:
    r"""One step of the EM algorithm.

    .. math:: \pi_k = \frac{N_k}{n},\quad \mu_k = \frac1{N_k}\sum_a r_{ak} x_a,\quad
        \Sigma_k = \frac1{N_k}\sum_a r_{ak}(x_a-\mu_k)(x_a-\mu_k)^\top,\quad N_k = \sum_a r_{ak}

    Parameters
    ----------
    X, weights, means, covariances
        As in :func:`mixture_loglik`.

    Returns
    -------
    weights : ndarray, shape (K,)
    means : ndarray, shape (K, d)
    covariances : ndarray, shape (K, d, d)
        As the formula gives them: the covariance of a component that has collapsed on too few points is
        singular, and the next step says so.  A component without any responsibility keeps its mean and
        covariance, with weight 0.
    loglik : float
        Log-likelihood of the parameters that went in.

    Raises
    ------
    TypeError, ValueError, numpy.linalg.LinAlgError
        As :func:`mixture_loglik`.

    Notes
    -----
    O(n K d^2) time, memory of about 1 MB; the moments are taken about the means of chunks and merged, so data
    far from the origin are safe.

    References
    ----------
    Dempster, Laird and Rubin (1977), section 4.3.

    Examples
    --------
    >>> X, weights, means, covariances = [[-1], [0], [1]], [0.5, 0.5], [[-1], [1]], [[[1]], [[1]]]
    >>> *following, before = em_step(X, weights, means, covariances)
    >>> round(before, 4), round(mixture_loglik(X, *following), 4)
    (-4.3893, -3.5492)
    """
    mixture = _checked(X, weights, means, covariances)
    n, d = mixture.X.shape
    # Counted from a row of the data, so that far from the origin the moments keep their digits, and a column
    # that does not vary has a variance of exactly zero.
    origin = mixture.X[0]
    nothing = NormalStatistics(0.0, np.zeros(d), np.zeros((d, d)))
    parts = [nothing] * mixture.weights.size
    total = 0.0
    for rows, densities, r in mixture.posteriors():
        total += float(densities.sum())
        block = mixture.X[rows] - origin
        for k, weight in enumerate(r):
            parts[k] = parts[k] + _weighted(block, weight)
    weights, means, covariances = np.empty(len(parts)), mixture.means.copy(), mixture.covariances.copy()
    for k, part in enumerate(parts):
        weights[k] = part.n / n
        if part.n > 0:
            means[k], covariances[k] = origin + part.mean, part.scatter / part.n
    return weights, means, covariances, total


@dataclass(frozen=True, eq=False)
class Mixture:
    """A fitted mixture.

    Attributes
    ----------
    weights : ndarray, shape (K,)
    means : ndarray, shape (K, d)
    covariances : ndarray, shape (K, d, d)
    loglik : float
        Log-likelihood of these parameters.
    history : tuple of float
        The log-likelihood before every step and at the end.
    converged : bool
        Whether the last gain was below the tolerance.
    """

    weights: Array
    means: Array
    covariances: Array
    loglik: float
    history: tuple[float, ...]
    converged: bool


def fit_mixture(
    X: Any,
    n_components: int,
    *,
    rng: np.random.Generator,
    tol: float = 1e-8,
    max_iter: int = 1000,
    callback: Callable[[int, tuple[Array, Array, Array], float], Any] | None = None,
) -> Mixture:
    """Fit a mixture of normal distributions by EM, from a start drawn from the data.

    Parameters
    ----------
    X : array_like, shape (n, d)
    n_components : int
        K, the number of components; at most n.
    rng : numpy.random.Generator
        Draws the start: K rows far from each other (as in k-means++), with the covariance of all the data.
    tol : float
        The fit has converged when a step gains less than ``tol`` a row in log-likelihood.
    max_iter : int
        The largest number of steps.
    callback : callable, optional
        Called as ``callback(iteration, (weights, means, covariances), loglik)`` before every step; a true
        answer stops.

    Returns
    -------
    Mixture
        A local maximum, as a rule; the global one does not exist, for the likelihood is unbounded.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or there are fewer rows than components.
    numpy.linalg.LinAlgError
        If a component collapses on rows that do not span the space, up to rounding, or the data themselves do
        not.  Another start, or fewer components, is the remedy.

    Notes
    -----
    O(n K d^2) time a step.  On fits of more than two seconds a progress bar appears in a terminal and in a
    notebook, where ``tqdm`` is installed.

    References
    ----------
    Dempster, Laird and Rubin (1977); Arthur and Vassilvitskii (2007) for the start.

    Examples
    --------
    >>> square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
    >>> X = np.concatenate([square, square + 10])
    >>> mixture = fit_mixture(X, 2, rng=np.random.default_rng(0))
    >>> mixture.converged, np.sort(mixture.means, axis=0).round(4).tolist()
    (True, [[1.0, 1.0], [11.0, 11.0]])
    """
    X = as_real("X", X, ndim=2)
    K = as_dimension("n_components", n_components)
    n = X.shape[0]
    as_generator("rng", rng)
    as_positive("tol", tol)
    max_iter = as_dimension("max_iter", max_iter)
    if n < K:
        raise ValueError(f"X has {n} rows, too few for {K} components")
    everything = NormalStatistics.from_data(X)
    covariance, root = as_positive_definite("the covariance of X", everything.scatter / n)
    noise = 8 * _EPS * np.abs(X - X[0]).max(axis=0)
    parameters = (np.full(K, 1 / K), _spread_rows(X, root, K, rng), np.repeat(covariance[None], K, axis=0))
    history: list[float] = []
    converged = False
    with _progress() as show:
        for iteration in range(max_iter):
            *following, value = em_step(X, *parameters)
            history.append(value)
            show(value)
            if callback is not None and callback(iteration, parameters, value):
                break
            if len(history) > 1 and history[-1] - history[-2] < tol * n:
                converged = True
                break
            parameters = (following[0], following[1], following[2])
            for k, spread in enumerate(parameters[2]):
                if _is_singular(spread, noise):
                    raise np.linalg.LinAlgError(
                        f"after {iteration + 1} EM steps component {k} of {K} has collapsed on rows that do not "
                        f"span the space, about {parameters[1][k]}: the likelihood is unbounded there"
                    )
        else:
            history.append(mixture_loglik(X, *parameters))
    return Mixture(*parameters, loglik=history[-1], history=tuple(history), converged=converged)


@dataclass(frozen=True)
class _Checked:
    """Data and parameters after validation, with the inverse Cholesky factors of the covariances."""

    X: Array
    weights: Array
    means: Array
    covariances: Array
    roots: Array
    log_scales: Array

    def posteriors(self) -> Iterator[tuple[slice, Array, Array]]:
        """Chunk by chunk: the rows, their log densities (c,), and their responsibilities (K, c)."""
        K, d = self.means.shape
        step = max(1, _CHUNK_BYTES // (8 * max(d, K)))
        for start in range(0, self.X.shape[0], step):
            rows = slice(start, start + step)
            block = self.X[rows]
            logs = np.empty((K, block.shape[0]))
            with np.errstate(over="ignore", invalid="ignore"):
                for k in range(K):
                    Z = (block - self.means[k]) @ self.roots[k].T
                    np.einsum("ij,ij->i", Z, Z, out=logs[k])
            logs *= -0.5
            logs += self.log_scales[:, None]
            top = logs.max(axis=0)
            if not np.isfinite(top).all():
                a = start + int(np.argmin(np.isfinite(top)))
                raise ValueError(
                    f"X[{a}] is so far from every component that the logarithm of its density is no float"
                )
            logs -= top
            np.exp(logs, out=logs)
            total = logs.sum(axis=0)
            logs /= total
            yield rows, top + np.log(total), logs

    def sums_about_means(self) -> tuple[Array, Array, Array]:
        """N_k (K,), and the sums of x - mu_k (K, d) and (x - mu_k)(x - mu_k)^T (K, d, d) weighted by r_ak."""
        K, d = self.means.shape
        N, s, T = np.zeros(K), np.zeros((K, d)), np.zeros((K, d, d))
        for rows, _, r in self.posteriors():
            N += r.sum(axis=1)
            for k, weight in enumerate(r):
                Y = self.X[rows] - self.means[k]
                s[k] += weight @ Y
                Y *= np.sqrt(weight)[:, None]
                T[k] += Y.T @ Y
        return N, s, T


def _weighted(block: Array, weight: Array) -> NormalStatistics:
    """Statistics of the rows of a block, each counted ``weight`` times."""
    d = block.shape[1]
    n = float(weight.sum())
    if not n > 0:
        return NormalStatistics(0.0, np.zeros(d), np.zeros((d, d)))
    # Shares, so that responsibilities near the underflow keep their mean; roots, so that the sum is symmetric.
    share = weight / n
    mean = share @ block
    Y = (block - mean) * np.sqrt(share)[:, None]
    return NormalStatistics(n, mean, n * (Y.T @ Y))


def _is_singular(covariance: Array, noise: Array) -> bool:
    """Whether a covariance of rows rounded at ``noise`` is singular as far as rounding can tell."""
    spread = np.sqrt(np.diagonal(covariance))
    if (spread <= noise).any():
        return True
    lowest = np.linalg.eigvalsh(covariance / np.outer(spread, spread))[0]
    return bool(lowest <= 8 * len(spread) * _EPS)


def _checked(X: Any, weights: Any, means: Any, covariances: Any) -> _Checked:
    weights = as_real("weights", weights, ndim=1)
    K = weights.size
    means = as_real("means", means, shape=(K, None))
    d = means.shape[1]
    covariances = as_real("covariances", covariances, shape=(K, d, d))
    X = as_real("X", X, shape=(None, d))
    if (weights < 0).any():
        k = int(np.argmin(weights))
        raise ValueError(f"weights must not be negative, but weights[{k}] = {weights[k]}")
    if not weights.any():
        raise ValueError("weights must not all be zero")
    factors = np.stack([as_positive_definite(f"covariances[{k}]", covariances[k])[1] for k in range(K)])
    roots = np.tril(np.linalg.inv(factors))
    with np.errstate(divide="ignore"):
        log_scales = (
            np.log(weights) - d / 2 * _LOG_2PI - np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        )
    return _Checked(X, weights, means, covariances, roots, log_scales)


def _spread_rows(X: Array, root: Array, K: int, rng: np.random.Generator) -> Array:
    """K rows of X, each drawn with probability proportional to its squared Mahalanobis distance from those
    before."""
    Z = np.linalg.solve(root, (X - X.mean(axis=0)).T).T
    chosen = [int(rng.integers(X.shape[0]))]
    distance = np.full(X.shape[0], np.inf)
    while len(chosen) < K:
        distance = np.minimum(distance, ((Z - Z[chosen[-1]]) ** 2).sum(axis=1))
        if not distance.any():
            raise ValueError(f"X has only {len(chosen)} different rows, too few for {K} components")
        chosen.append(int(rng.choice(X.shape[0], p=distance / distance.sum())))
    return X[chosen]


@contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """Give a function to call with the log-likelihood of every step; from the third second on it draws a bar."""
    begun, steps, bar = time.perf_counter(), 0, None

    def show(value: float) -> None:
        nonlocal steps, bar
        steps += 1
        if bar is None and time.perf_counter() - begun > _PATIENCE:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            # None: in a terminal and in a notebook, not in a file or a pipe.
            bar = tqdm(desc="EM", unit=" steps", initial=steps, leave=False, disable=None)
        if bar is not None:
            bar.set_postfix(loglik=f"{value:.6f}", refresh=False)
            bar.update()

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
