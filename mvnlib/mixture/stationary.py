r"""What a fixed point of EM is: a maximum, a saddle, or one where two components are the same.

Near a fixed point a step multiplies what separates the parameters from it by a matrix J = I + A^-1 H, where H
holds the second derivatives of the objective and A the information of the complete data.  In coordinates in which
A is the identity J is symmetric, and it has an eigenvalue above one exactly where H has one above zero: at a saddle.
Lanczos' method finds the largest from a few products, and each product is a difference of two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS, Array, inverse_of_lower
from mvnlib.mixture.ascent import Parameters, step
from mvnlib.mixture.components import Components, checked
from mvnlib.mixture.prior import CovariancePrior

_LONGEST = 1e-3  # a longer difference of two steps is no derivative
_PRODUCTS = 12  # at most
_MARGIN = 1e-3  # what the difference of two steps may leave of an eigenvalue
_LEAST_WEIGHT = 1e-6  # with less, a component hardly moves anything


def identical_components(parameters: Parameters, tol: float) -> tuple[tuple[int, int], ...]:
    """Pairs of components whose symmetric Kullback-Leibler divergence is below sqrt(tol).

    To replace the two by one with their mean and covariance changes the log-likelihood of a row by about the
    square of the divergence, so by less than a fit with this tolerance notices.
    """
    limit = min(max(sqrt(tol), 1e-12), 1e-2)
    components = checked(*parameters)
    means, roots, covariances = components.means, components.roots, components.covariances
    pairs = []
    for j in range(len(means)):
        y = np.einsum("kab,kb->ka", roots[j + 1 :], means[j + 1 :] - means[j])
        for k in j + 1 + np.flatnonzero((y * y).sum(axis=1) < 2 * limit):
            turned = roots[j] @ (means[k] - means[j])
            apart = turned @ turned + y[k - j - 1] @ y[k - j - 1]
            ratios = np.linalg.eigvalsh(roots[j] @ covariances[k] @ roots[j].T)
            if ratios[0] > 0 and apart + ((ratios - 1) ** 2 / ratios).sum() < 2 * limit:
                pairs.append((j, int(k)))
    return tuple(pairs)


def is_maximum(X: NDArray[Any], parameters: Parameters, prior: CovariancePrior | None) -> bool | None:
    """Whether a fixed point of EM is a maximum; False at a saddle, None where the test cannot tell."""
    seen = parameters[0] > _LEAST_WEIGHT
    here = parameters[0][seen], parameters[1][seen], parameters[2][seen]
    if len(here[0]) == 1:
        return True
    try:
        chart = _Chart.about(checked(*here), 0.0 if prior is None else prior.rows / len(X))
        length = chart.length()
        if length > _LONGEST:
            return None
        base, *_ = step(X, here, prior)

        def product(v: Array) -> Array:
            h = length / chart.largest(v)
            there, *_ = step(X, chart.moved(h * v), prior)
            return chart.coordinates(there, base) / h

        highest, doubt = _largest_eigenvalue(product, chart.random())
    except (ValueError, np.linalg.LinAlgError):
        return None
    if highest > 1 + _MARGIN:
        return False
    return True if highest + doubt < 1 else None


def _largest_eigenvalue(product: Callable[[Array], Array], v: Array) -> tuple[float, float]:
    """The largest eigenvalue of a symmetric matrix as far as products tell, and how far off it may be."""
    basis: list[Array] = [v / np.linalg.norm(v)]
    images: list[Array] = []
    while True:
        images.append(product(basis[-1]))
        V, W = np.array(basis), np.array(images)
        T = V @ W.T
        values, vectors = np.linalg.eigh((T + T.T) / 2)
        rest = W[-1] - V.T @ (V @ W[-1])
        rest -= V.T @ (V @ rest)
        size = float(np.linalg.norm(rest))
        highest, doubt = float(values[-1]), size * abs(float(vectors[-1, -1]))
        settled = highest > 1 + _MARGIN or (len(basis) > 3 and highest + 8 * doubt < 1)
        if settled or len(basis) == min(_PRODUCTS, v.size) or size < _MARGIN:
            return highest, doubt
        basis.append(rest / size)


@dataclass(frozen=True)
class _Chart:
    """Coordinates of the parameters near a point in which the complete data's information is n times the identity."""

    centre: Components
    factors: Array
    scales: Array  # of the covariances

    @classmethod
    def about(cls, centre: Components, pulls: float) -> _Chart:
        factors = inverse_of_lower(centre.roots)
        return cls(centre, factors, np.sqrt(2 / (centre.weights + pulls)))

    def length(self) -> float:
        """How far to go for a difference of two steps, in standard deviations, to be far beyond rounding."""
        deviations = np.sqrt(np.diagonal(self.centre.covariances, axis1=1, axis2=2))
        noise = EPS * (1 + float((np.abs(self.centre.means) / deviations).max()))
        return max(1e-5, sqrt(noise))

    def random(self) -> Array:
        K, d = self.centre.means.shape
        rng = np.random.default_rng(0)
        Z = rng.standard_normal((K, d, d))
        Z += Z.transpose(0, 2, 1)
        return np.concatenate([rng.standard_normal(K), rng.standard_normal(K * d), Z.ravel()])

    def _parts(self, v: Array) -> Parameters:
        K, d = self.centre.means.shape
        a, b, Z = v[:K], v[K : K + K * d].reshape(K, d), v[K + K * d :].reshape(K, d, d)
        roots = np.sqrt(self.centre.weights)
        return a / roots, b / roots[:, None], Z * self.scales[:, None, None]

    def largest(self, v: Array) -> float:
        """The largest relative change of a parameter along v."""
        return max(float(np.abs(part).max()) for part in self._parts(v))

    def moved(self, v: Array) -> Parameters:
        a, b, Z = self._parts(v)
        c, F = self.centre, self.factors
        change = F @ Z @ F.mT
        means = c.means + (F @ b[:, :, None])[:, :, 0]
        return c.weights * (1 + a), means, c.covariances + (change + change.mT) / 2

    def coordinates(self, there: Parameters, base: Parameters) -> Array:
        R, w = self.centre.roots, np.sqrt(self.centre.weights)
        weights, means, covariances = (one - other for one, other in zip(there, base, strict=True))
        Z = R @ covariances @ R.mT / self.scales[:, None, None]
        b = (R @ means[:, :, None])[:, :, 0] * w[:, None]
        return np.concatenate([weights / w, b.ravel(), ((Z + Z.mT) / 2).ravel()])
