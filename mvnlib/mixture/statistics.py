"""What one E step knows of the rows of a data set, kept as a small value that adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS, TINY, Array
from mvnlib._validation import as_rows, is_finite, one_of, quiet, sealed
from mvnlib._values import Value
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.mixture import expectation
from mvnlib.mixture.components import Components, checked
from mvnlib.mixture.moments import Moments


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
        X, mixture = rows_and_components(X, weights, means, covariances)
        loglik, moments = expectation.loglik_and_moments(X, mixture)
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
        loglik = expectation.as_loglik(self.loglik + other.loglik)
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
        if least < expectation.LEAST_SHARE / EPS * self.weights.max():
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


def rows_and_components(
    X: Any, weights: Any, means: Any, covariances: Any
) -> tuple[NDArray[Any], Components]:
    """The rows of X in their own type, not yet known to be finite, and the components."""
    mixture = checked(weights, means, covariances)
    return as_rows("X", X, mixture.means.shape[1]), mixture
