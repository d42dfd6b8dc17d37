"""EM for mixtures of normal distributions, and the functions of a mixture that go with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from mvnlib._scaling import EPS, Array
from mvnlib._validation import (
    as_dimension,
    as_float,
    as_generator,
    as_positive,
    as_rows,
    one_of,
    quiet,
    quiet_around_functions,
)
from mvnlib.conventions import CONVENTIONS
from mvnlib.mixture import expectation
from mvnlib.mixture.ascent import Ascent, Collapse, Rules, all_collapsed, ascend
from mvnlib.mixture.fitted import Mixture
from mvnlib.mixture.progress import progress
from mvnlib.mixture.starts import as_start, drawn_start, of_all_rows
from mvnlib.mixture.stationary import identical_components, is_maximum
from mvnlib.mixture.statistics import MixtureStatistics, rows_and_components

__all__ = [
    "Mixture",
    "MixtureStatistics",
    "em_step",
    "fit_mixture",
    "mixture_gradient",
    "mixture_loglik",
    "responsibilities",
]


@quiet
def mixture_loglik(X: Any, weights: Any, means: Any, covariances: Any) -> float:
    r"""Log-likelihood of n rows under a mixture of normal distributions.

    .. math:: \sum_{a=1}^n \log \sum_{k=1}^K \pi_k\, N(x_a \mid \mu_k, \Sigma_k)

    Parameters
    ----------
    X : array_like, shape (n, d)
        Data, one observation a row.
    weights : array_like, shape (K,)
        The pi_k: not negative, not all zero.  They are taken as they are, for one may want to differentiate in
        them; for a distribution they sum to one.  Only what sums to 100, to within 1, is refused: percentages would
        put n log 100 into the log-likelihood.
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
        negative, the weights percentages, or a row so far out that the logarithm of its density is no float.
    numpy.linalg.LinAlgError
        If a covariance is not positive definite; the message names the component.

    Notes
    -----
    O(n K d^2) time, and less than 10 MB of memory beside a few arrays of the size of the covariances.

    References
    ----------
    Dempster, Laird and Rubin (1977), section 4.3.

    Examples
    --------
    >>> X, weights, means, covariances = [[-1], [0], [1]], [0.5, 0.5], [[-1], [1]], [[[1]], [[1]]]
    >>> round(mixture_loglik(X, weights, means, covariances), 4)
    -4.3893
    """
    return expectation.loglik(*rows_and_components(X, weights, means, covariances))


@quiet
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
    O(n K d^2) time, and less than 10 MB of memory beside the result and a few arrays of the size of the covariances.

    Examples
    --------
    >>> X, weights, means, covariances = [[-1], [0], [1e6]], [0.5, 0.5], [[-1], [1]], [[[1]], [[1]]]
    >>> responsibilities(X, weights, means, covariances).round(4)
    array([[0.8808, 0.1192],
           [0.5   , 0.5   ],
           [0.    , 1.    ]])
    """
    return expectation.responsibilities(*rows_and_components(X, weights, means, covariances))


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
        As :func:`mixture_loglik`; a weight of zero, or below 1e-288 of another, and an unknown ``convention`` are
        ValueErrors.

    Notes
    -----
    O(n K d^2) time, and less than 10 MB of memory beside a few arrays of the size of the covariances.

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
    return MixtureStatistics.from_data(X, weights, means, covariances).loglik_gradient(convention=convention)


def em_step(X: Any, weights: Any, means: Any, covariances: Any) -> tuple[Array, Array, Array, float]:
    r"""One step of the EM algorithm.

    .. math::
        \begin{aligned}
        N_k &= \sum_a r_{ak}, \qquad \pi_k = \frac{N_k}{n}, \qquad \mu_k = \frac1{N_k}\sum_a r_{ak} x_a, \\
        \Sigma_k &= \frac1{N_k}\sum_a r_{ak}(x_a-\mu_k)(x_a-\mu_k)^\top
        \end{aligned}

    with the :func:`responsibilities` r at the parameters that go in and, in Sigma_k, the new mu_k.

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
    O(n K d^2) time, and less than 10 MB of memory beside a few arrays of the size of the covariances; data far from the
    origin lose no digits.

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
    return MixtureStatistics.from_data(X, weights, means, covariances).em_step()


@quiet_around_functions
def fit_mixture(
    X: Any,
    n_components: int,
    *,
    rng: np.random.Generator | None = None,
    start: tuple[Any, Any, Any] | None = None,
    n_init: int = 1,
    prior: float | tuple[float, Any] | None = None,
    tol: float = 1e-8,
    max_iter: int = 1000,
    callback: Callable[[int, tuple[Array, Array, Array], float], Any] | None = None,
) -> Mixture:
    r"""Fit a mixture of normal distributions by EM, from starts drawn from the data or from one of your own.

    Without a ``prior`` what is maximised is the log-likelihood; with one, counted as m rows of covariance V,

    .. math:: L - \frac m2 \sum_{k=1}^K \left( \log|\Sigma_k| + \operatorname{tr}(\Sigma_k^{-1} V) - \log|V| - d \right)

    Parameters
    ----------
    X : array_like, shape (n, d)
    n_components : int
        K, the number of components; at most n.
    rng : numpy.random.Generator, optional
        Draws the starts: K rows far from each other (as in k-means++), with the covariance of all the data.
        Needed where no start is given.
    start : (weights, means, covariances), optional
        Parameters to start from, as :func:`mixture_loglik` takes them; the weights are divided by their sum.
    n_init : int
        The number of starts to draw.  The fit with the highest objective is kept, those that collapse are counted.
    prior : float or (float, float or array_like), optional
        Keeps covariances from collapsing; there is none unless you ask for it.  A number m > 0: every component
        counts as having seen, beside its own rows, m rows more about its mean, with a covariance V of K^(-2/d)
        times that of ``X``.  A pair (m, V): V is a positive definite matrix (d, d), or the share of the covariance
        of ``X`` that it is to be.  The weights and the means have no prior.
    tol : float
        The fit has converged when a step gains less than ``tol`` a row in the objective.
    max_iter : int
        The largest number of steps from a start.
    callback : callable, optional
        Called as ``callback(iteration, (weights, means, covariances), objective)`` before every step of every
        start; a true answer stops, and the best so far is the result.

    Returns
    -------
    Mixture
        A local maximum, as a rule; see ``maximum``.  Without a prior the global one does not exist, for the
        likelihood is unbounded: the best of many starts may have a component that rests on a few rows.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or there are fewer rows than components.
    numpy.linalg.LinAlgError
        If from every start a component collapses on rows that do not span the space, up to rounding; or the data
        themselves do not, and the prior is not a matrix.  More starts, fewer components, or a prior are the remedy.

    Warns
    -----
    UserWarning
        If the fit has converged with identical components, or at a saddle.

    Notes
    -----
    O(n K d^2) time a step, and 4 to 13 steps more after convergence to see whether it is a maximum.  To draw a start
    takes two numbers a row of memory, a step no more than :func:`em_step`; a memory-mapped ``X`` is read where it
    lies.  For rows that are not one array, start from :func:`fit_mixture` of some of them and step with
    :class:`MixtureStatistics`.  On fits of more than two seconds a progress bar appears in a terminal and in a
    notebook, where ``tqdm`` is installed.

    The M step with a prior is (N_k C_k + m V) / (N_k + m), with C_k the covariance that it would be without.  It
    maximises the objective exactly, so no step loses.  The prior is inverse Wishart with m - d - 1 degrees of freedom
    and scale m V; the default V is that of Fraley and Raftery, who take m = 2 d + 3.  The ``reg_covar`` of
    scikit-learn, which adds a constant to the diagonal of C_k after the step, is not offered: it maximises neither
    the likelihood nor any density of the parameters, so its steps may lose.

    References
    ----------
    Dempster, Laird and Rubin (1977); Arthur and Vassilvitskii (2007) for the start; Fraley and Raftery (2007) for
    the prior.

    Examples
    --------
    >>> square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
    >>> X = np.concatenate([square, square + 10])
    >>> mixture = fit_mixture(X, 2, rng=np.random.default_rng(0))
    >>> mixture.converged, np.sort(mixture.means, axis=0).round(4).tolist()
    (True, [[1.0, 1.0], [11.0, 11.0]])
    >>> again = fit_mixture(X, 2, start=(mixture.weights, mixture.means, mixture.covariances))
    >>> len(again.history)
    2

    A component would collapse on two rows that are the same; with a prior, here of one row of covariance I, it
    does not:

    >>> X = np.concatenate([square, [[30, 30], [30, 30]]])
    >>> fit_mixture(X, 2, rng=np.random.default_rng(0), n_init=3, prior=(1, np.eye(2)))
    Mixture of 2 normal components in 2 dimensions
      component  weight  mean      standard deviations
      0          0.333   [30, 30]  [0.5774, 0.5774]
      1          0.667   [1, 1]    [1, 1]
      log-likelihood -16.64912, converged after 5 steps
      best of 3 starts: 3 ended here, 0 collapsed
    """
    X = as_rows("X", X)
    K = as_dimension("n_components", n_components)
    n, d = X.shape
    n_init = as_dimension("n_init", n_init)
    own = None if start is None else as_start(start, K, d)
    generator = as_generator("rng", rng) if start is None else np.random.default_rng()
    if own is not None and n_init > 1:
        raise ValueError(f"n_init must be 1 with a start of your own, but it is {n_init}; rng draws starts")
    tol = as_positive("tol", tol)
    max_iter = as_dimension("max_iter", max_iter)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function or None, not {callback!r}")
    if n < K:
        raise ValueError(f"X has {n} rows, too few for {K} components")
    covariance, root, regular = of_all_rows(X, K, prior)
    first, highest, lowest = (as_float(row) for row in (X[0], X.max(axis=0), X.min(axis=0)))
    noise = 8 * EPS * np.maximum(highest - first, first - lowest)
    ascents: list[Ascent] = []
    collapses: list[Collapse] = []
    with progress() as show:
        rules = Rules(regular, tol, max_iter, noise, callback, show)
        for _ in range(n_init):
            begin = own if own is not None else drawn_start(X, covariance, root, K, generator)
            try:
                ascents.append(ascend(X, begin, rules))
            except Collapse as collapse:
                collapses.append(collapse)
            if ascents and ascents[-1].stopped:
                break
    if not ascents:
        raise all_collapsed(collapses, regular)
    best = max(ascents, key=lambda ascent: ascent.history[-1])
    fit = Mixture(
        *best.parameters,
        loglik=best.loglik,
        history=best.history,
        converged=best.converged,
        maximum=is_maximum(X, best.parameters, regular) if best.converged else None,
        identical=identical_components(best.parameters, tol),
        starts=tuple(ascent.history[-1] for ascent in ascents),
        collapsed=len(collapses),
    )
    if fit.converged and fit.concerns():
        warnings.warn(
            f"the fit has stopped, but {'; '.join(fit.concerns())}; try another start (n_init draws several), "
            "fewer components, or a smaller tol",
            UserWarning,
            stacklevel=3,
        )
    return fit
