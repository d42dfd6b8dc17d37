"""Where EM starts: at the caller's parameters, or on rows drawn from the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import Array, inverse_of_lower
from mvnlib._validation import as_float, as_scaled
from mvnlib.mixture import expectation
from mvnlib.mixture.ascent import Parameters
from mvnlib.mixture.components import checked
from mvnlib.mixture.prior import CovariancePrior, as_prior
from mvnlib.normal import not_spanning
from mvnlib.statistics import NormalStatistics


def of_all_rows(X: NDArray[Any], K: int, prior: Any) -> tuple[Array, Array, CovariancePrior | None]:
    """The covariance that every drawn component starts with, a root of its inverse, and the prior as a value."""
    n, d = X.shape
    asked = as_prior(prior, K, d)
    scatter = NormalStatistics.from_data(X).scatter
    covariance = scatter / n
    if asked is None or isinstance(asked.V, float):
        try:
            as_scaled("the covariance of X", covariance)
        except np.linalg.LinAlgError as error:
            raise np.linalg.LinAlgError(
                f"the covariance of X is singular: {not_spanning(n, scatter)}: the likelihood is unbounded; leave "
                "out columns that follow from the others, or pass prior=(m, V) with a positive definite matrix V"
            ) from error
    resolved = None if asked is None else asked.resolved(covariance)
    if resolved is not None:
        # A matrix V makes up for directions in which the rows do not vary.
        covariance = resolved.estimate(n, covariance)
    covariance, units, L = as_scaled("the covariance of X", covariance)
    return covariance, inverse_of_lower(L) / units, resolved


def drawn_start(
    X: NDArray[Any], covariance: Array, root: Array, K: int, rng: np.random.Generator
) -> Parameters:
    """Equal weights, K rows far from each other as means, and the same covariance for all."""
    return np.full(K, 1 / K), spread_rows(X, root, K, rng), np.repeat(covariance[None], K, axis=0)


def as_start(start: Any, K: int, d: int) -> Parameters:
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


def spread_rows(X: NDArray[Any], root: Array, K: int, rng: np.random.Generator) -> Array:
    """K rows of X, each drawn with probability proportional to its squared Mahalanobis distance from those
    before."""
    n, d = X.shape
    step = expectation.block_rows(n, d)
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
