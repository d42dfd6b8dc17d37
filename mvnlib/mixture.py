r"""Mixtures of normal distributions: likelihood, responsibilities, gradients and EM.

A mixture of K components in dimension d is three arrays: ``weights`` (K,), ``means`` (K, d) and
``covariances`` (K, d, d).  Densities are handled in the logarithm, so a point far from every component has
responsibilities that sum to one, not 0 / 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib import _expectation
from mvnlib._components import Components, checked
from mvnlib._moments import Moments
from mvnlib._progress import progress
from mvnlib._scaling import EPS, TINY, Array, inverse_of_lower
from mvnlib._validation import (
    as_dimension,
    as_float,
    as_generator,
    as_positive,
    as_rows,
    as_scaled,
    is_finite,
    one_of,
    quiet,
    quiet_around_functions,
    sealed,
)
from mvnlib._values import Value
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.statistics import NormalStatistics

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
    return _expectation.loglik(*_rows_and_components(X, weights, means, covariances))


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
    return _expectation.responsibilities(*_rows_and_components(X, weights, means, covariances))


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


@dataclass(frozen=True, eq=False)
class MixtureStatistics(Value):
    """What one E step at some parameters knows of the rows of a data set: a small value, and it adds.

    Statistics of two sets of rows, taken at the same parameters, add to those of the union.  So data larger than
    memory, or spread over machines, are read chunk by chunk, and the log-likelihood, its gradient and the
    parameters after one EM step follow from the sum alone.  Their arrays cannot be written to.

    Parameters
    ----------
    components : Components
        The parameters at which the responsibilities were taken, also given as ``weights``, ``means`` and
        ``covariances``.
    n : int
        Number of rows.
    loglik : float
        Log-likelihood of the rows at these parameters.
    moments : Moments
        Number, mean and covariance of the rows for each component, weighted by its responsibilities.  The
        means are counted from the components' and the covariances from the means, so that data far from the
        origin lose no digits.

    Examples
    --------
    >>> X = np.arange(8.0).reshape(4, 2)
    >>> theta = [0.5, 0.5], [[1.0, 2.0], [5.0, 6.0]], [np.eye(2), np.eye(2)]
    >>> total = sum(MixtureStatistics.from_data(chunk, *theta) for chunk in (X[:1], X[1:]))
    >>> weights, means, covariances, loglik = total.em_step()
    >>> total.n, weights.round(6)
    (4, array([0.5, 0.5]))
    """

    components: Components
    n: int
    loglik: float
    moments: Moments

    #: An array added to statistics is an error, not an array of statistics.
    __array_ufunc__ = None

    def __post_init__(self) -> None:
        for part in (self.components, self.moments):
            for name in part.__dataclass_fields__:
                sealed(getattr(part, name))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    @classmethod
    @quiet
    def from_data(cls, X: Any, weights: Any, means: Any, covariances: Any) -> MixtureStatistics:
        """Statistics of the rows of ``X`` at given parameters: one E step.

        Parameters
        ----------
        X, weights, means, covariances
            As in :func:`mixture_loglik`.

        Returns
        -------
        MixtureStatistics

        Raises
        ------
        TypeError, ValueError, numpy.linalg.LinAlgError
            As :func:`mixture_loglik`.

        Notes
        -----
        O(n K d^2) time, and less than 10 MB of memory beside a few arrays of the size of the covariances.  Rows are
        read a block at a time, so ``X`` may be a memory-mapped file; they are read twice where a component
        is about to collapse or to jump.
        """
        X, mixture = _rows_and_components(X, weights, means, covariances)
        loglik, moments = _expectation.loglik_and_moments(X, mixture)
        if not is_finite(moments.covariances):
            raise ValueError("X is too large: the covariances of its rows overflow; change its units")
        return cls(mixture.copy(), X.shape[0], loglik, moments)

    @property
    def weights(self) -> Array:
        """The weights (K,) at which the responsibilities were taken."""
        return self.components.weights

    @property
    def means(self) -> Array:
        """The means (K, d) at which the responsibilities were taken."""
        return self.components.means

    @property
    def covariances(self) -> Array:
        """The covariances (K, d, d) at which the responsibilities were taken."""
        return self.components.covariances

    @quiet
    def __add__(self, other: MixtureStatistics) -> MixtureStatistics:
        """Statistics of both sets of rows together: O(K d^2) time.

        Raises
        ------
        ValueError
            If they were taken at different parameters, or of rows so far apart that a covariance overflows.
        """
        if not isinstance(other, MixtureStatistics):
            return NotImplemented
        for name in ("weights", "means", "covariances"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine.shape != theirs.shape:
                raise ValueError(
                    f"statistics of a mixture with {name} of shape {mine.shape} and of one of shape "
                    f"{theirs.shape} do not add"
                )
            if not np.array_equal(mine, theirs):
                raise ValueError(f"statistics taken at different {name} do not add")
        moments = self.moments + other.moments
        if not is_finite(moments.covariances):
            raise ValueError("statistics of rows so far apart do not add: their covariances overflow")
        loglik = _expectation.as_loglik(self.loglik + other.loglik)
        return replace(self, n=self.n + other.n, loglik=loglik, moments=moments)

    def __radd__(self, other: Any) -> MixtureStatistics:
        """Nothing, 0, added to statistics changes nothing: so ``sum`` adds them."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    @quiet
    def loglik_gradient(self, *, convention: str = "entrywise") -> tuple[Array, Array, Array]:
        """Gradient of the log-likelihood in weights, means and covariances: :func:`mixture_gradient`, in O(K d^3).

        Raises
        ------
        ValueError
            If a weight is zero or nearly, ``convention`` unknown, or a derivative no float.
        """
        one_of("convention", convention, CONVENTIONS)
        k = int(np.argmin(self.weights))
        least = self.weights[k]
        if not least > 0:
            raise ValueError(f"weights must be positive to be differentiated in, but weights[{k}] = {least}")
        if least < _expectation.LEAST_SHARE / EPS * self.weights.max():
            raise ValueError(
                f"weights[{k}] = {least} is so small beside the others that its slope has no digits"
            )
        N, shifts, roots = self.moments.counts, self.moments.shifts[:, :, None], self.components.roots
        turned = roots.transpose(0, 2, 1)
        in_weights = N / self.weights
        shifts = roots @ shifts
        in_means = N[:, None] * (turned @ shifts)[:, :, 0]
        Z = roots @ self.moments.covariances @ turned
        Z += shifts * shifts.transpose(0, 2, 1)
        Z -= np.eye(Z.shape[1])
        quarters = N[:, None, None] / 4 * (turned @ Z @ roots)
        tables = quarters + quarters.transpose(0, 2, 1)
        # Twice, as the free table has them off the diagonal.
        slopes = {"weights": in_weights, "means": in_means, "covariances": 2 * tables}
        for name, slope in slopes.items():
            if not is_finite(slope):
                k = int(np.argmin(np.isfinite(slope.reshape(N.size, -1)).all(axis=1)))
                small = "weights" if name == "weights" else "covariances"
                raise ValueError(f"{small}[{k}] is so small that the gradient in {name}[{k}] is no float")
        tables = convert_gradient(tables.transpose(1, 2, 0), "entrywise", convention).transpose(2, 0, 1)
        return in_weights, in_means, tables

    @quiet
    def em_step(self) -> tuple[Array, Array, Array, float]:
        """Parameters after one EM step, and the log-likelihood of those before: :func:`mvnlib.em_step`, in O(K d^2).

        Returns
        -------
        weights, means, covariances : ndarray
        loglik : float

        Raises
        ------
        ValueError
            If a new variance is so small that as a float it lacks digits.
        """
        seen = self.moments.counts > 0
        means = np.where(seen[:, None], self.means + self.moments.shifts + self.moments.rests, self.means)
        covariances = np.where(seen[:, None, None], self.moments.covariances, self.covariances)
        before, after = (np.diagonal(of, axis1=1, axis2=2) for of in (self.covariances, covariances))
        # A component that has collapsed may be as small as it likes: its size is rounding.
        if np.count_nonzero((after < TINY) & (after > EPS**2 * before)):
            raise ValueError("X varies so little that a covariance underflows; change its units")
        return self.moments.counts / self.n, means, covariances, self.loglik


@dataclass(frozen=True, eq=False)
class Mixture(Value):
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


@quiet_around_functions
def fit_mixture(
    X: Any,
    n_components: int,
    *,
    rng: np.random.Generator | None = None,
    start: tuple[Any, Any, Any] | None = None,
    tol: float = 1e-8,
    max_iter: int = 1000,
    callback: Callable[[int, tuple[Array, Array, Array], float], Any] | None = None,
) -> Mixture:
    """Fit a mixture of normal distributions by EM, from a start drawn from the data or from one of your own.

    Parameters
    ----------
    X : array_like, shape (n, d)
    n_components : int
        K, the number of components; at most n.
    rng : numpy.random.Generator, optional
        Draws the start: K rows far from each other (as in k-means++), with the covariance of all the data.
        Needed where none is given.
    start : (weights, means, covariances), optional
        Parameters to start from, as :func:`mixture_loglik` takes them; the weights are divided by their sum.
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
    O(n K d^2) time a step.  To draw a start takes two numbers a row of memory, a step no more than :func:`em_step`;
    a memory-mapped ``X`` is read where it lies.  For rows that are not one array, start from :func:`fit_mixture` of
    some of them and step with :class:`MixtureStatistics`.  On fits of more than two seconds a progress bar appears
    in a terminal and in a notebook, where ``tqdm`` is installed.

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
    >>> again = fit_mixture(X, 2, start=(mixture.weights, mixture.means, mixture.covariances))
    >>> len(again.history)
    2
    """
    X = as_rows("X", X)
    K = as_dimension("n_components", n_components)
    n, d = X.shape
    if start is None:
        generator = as_generator("rng", rng)
    else:
        parameters = _started(start, K, d)
    as_positive("tol", tol)
    max_iter = as_dimension("max_iter", max_iter)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function or None, not {callback!r}")
    if n < K:
        raise ValueError(f"X has {n} rows, too few for {K} components")
    everything = NormalStatistics.from_data(X)
    covariance, units, L = as_scaled("the covariance of X", everything.scatter / n)
    first, highest, lowest = (as_float(row) for row in (X[0], X.max(axis=0), X.min(axis=0)))
    noise = 8 * EPS * np.maximum(highest - first, first - lowest)
    if start is None:
        means = _spread_rows(X, inverse_of_lower(L) / units, K, generator)
        parameters = (np.full(K, 1 / K), means, np.repeat(covariance[None], K, axis=0))
    history: list[float] = []
    converged = False
    with progress() as show:
        for iteration in range(max_iter):
            *following, value = em_step(X, *parameters)
            history.append(value)
            show(value)
            if callback is not None and callback(
                iteration, (parameters[0].copy(), parameters[1].copy(), parameters[2].copy()), value
            ):
                break
            if len(history) > 1 and history[-1] - history[-2] < tol * n:
                converged = True
                break
            parameters = (following[0], following[1], following[2])
            for k in _singular(parameters[2], noise):
                raise np.linalg.LinAlgError(
                    f"after {iteration + 1} EM steps component {k} of {K} has collapsed on rows that do not "
                    f"span the space, about {parameters[1][k]}: the likelihood is unbounded there"
                )
        else:
            history.append(mixture_loglik(X, *parameters))
    return Mixture(*parameters, loglik=history[-1], history=tuple(history), converged=converged)


def _rows_and_components(
    X: Any, weights: Any, means: Any, covariances: Any
) -> tuple[NDArray[Any], Components]:
    """The rows of X in their own type, not yet known to be finite, and the components."""
    mixture = checked(weights, means, covariances)
    return as_rows("X", X, mixture.means.shape[1]), mixture


def _singular(covariances: Array, noise: Array) -> NDArray[np.intp]:
    """Which covariances, of rows rounded at ``noise``, are singular as far as rounding can tell."""
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    units = np.where(deviations > 0, deviations, 1.0)
    lowest = np.linalg.eigvalsh(covariances / units[:, :, None] / units[:, None, :])[:, 0]
    return np.flatnonzero((deviations <= noise).any(axis=1) | (lowest <= 8 * noise.size * EPS))


def _started(start: Any, K: int, d: int) -> tuple[Array, Array, Array]:
    """The parameters of a start of the caller's own, as a distribution and as arrays of ours."""
    if not isinstance(start, tuple | list) or len(start) != 3:
        raise TypeError("start must be a tuple (weights, means, covariances)")
    given = checked(*start).copy()
    if given.means.shape != (K, d):
        raise ValueError(
            f"start must have means of shape ({K}, {d}), for n_components = {K} and rows of length {d}, "
            f"but theirs is {given.means.shape}"
        )
    shares = given.weights / given.weights.max()  # whose sum does not overflow
    return shares / shares.sum(), given.means, given.covariances


def _spread_rows(X: NDArray[Any], root: Array, K: int, rng: np.random.Generator) -> Array:
    """K rows of X, each drawn with probability proportional to its squared Mahalanobis distance from those
    before."""
    n, d = X.shape
    step = _expectation.block_rows(n, d)
    chosen = [int(rng.integers(n))]
    nearest = np.full(n, np.inf)
    while len(chosen) < K:
        for begin in range(0, n, step):
            rows = slice(begin, begin + step)
            y = root @ (as_float(X[rows]) - as_float(X[chosen[-1]])).T
            np.minimum(nearest[rows], np.einsum("ij,ij->j", y, y), out=nearest[rows])
        upto = nearest.cumsum()
        if not upto[-1] > 0:
            raise ValueError(f"X has only {len(chosen)} different rows, too few for {K} components")
        chosen.append(int(np.searchsorted(upto, rng.random() * upto[-1], side="right")))
    return as_float(X[chosen])
