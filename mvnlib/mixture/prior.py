"""A prior of the covariances of a mixture, as rows that each component has seen beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvnlib._scaling import Array
from mvnlib._validation import as_positive, as_positive_definite, as_real, brief
from mvnlib.mixture.components import Components

_V = "V of prior=(m, V)"


@dataclass(frozen=True)
class CovariancePrior:
    r"""The log density -m/2 (log|Sigma| + tr(Sigma^-1 V)) of each covariance, counted from its maximum at V.

    It is the log-likelihood of m rows with covariance V about the mean of the component, and of the inverse
    Wishart family.  Counted from its maximum it is -m KL(N(mu, V) || N(mu, Sigma)), which knows no units.
    """

    rows: float
    covariance: Array
    factor: Array

    def log_density(self, components: Components) -> float:
        """The sum over the components: never positive, O(K d^3)."""
        M = components.roots @ self.factor
        diagonals = np.diagonal(M, axis1=1, axis2=2)
        K, d = diagonals.shape
        return -self.rows / 2 * float(np.vdot(M, M) - K * d - 2 * np.log(diagonals).sum())

    def estimate(self, counts: Any, covariances: Array) -> Array:
        """The covariances that maximise prior and likelihood of N_k rows of covariance C_k: (N C + m V) / (N + m).

        This is the M step: maximising it exactly is what keeps the sum of both from falling.
        """
        share = np.asarray(counts / (counts + self.rows))[..., None, None]
        mixed: Array = share * covariances + (1 - share) * self.covariance
        return mixed


@dataclass(frozen=True)
class Asked:
    """A prior as the caller has asked for it: V is a matrix, or the share of the covariance of the data."""

    rows: float
    V: Array | float

    def resolved(self, covariance: Array) -> CovariancePrior:
        """The prior of the components of data with this covariance."""
        V = self.V * covariance if isinstance(self.V, float) else self.V
        return CovariancePrior(self.rows, *as_positive_definite(_V, V))


def as_prior(prior: Any, K: int, d: int) -> Asked | None:
    """The prior of ``fit_mixture``, or an error that says what it may be."""
    if prior is None:
        return None
    pair = isinstance(prior, tuple | list)
    if isinstance(prior, bool | str) or (pair and len(prior) != 2):
        raise TypeError(f"prior must be None, a number of rows m, or a pair (m, V), not {brief(prior)}")
    if not pair:
        return Asked(as_positive("prior", prior), float(K ** (-2 / d)))
    m, V = as_positive("m of prior=(m, V)", prior[0]), prior[1]
    if isinstance(V, float | int) or getattr(V, "ndim", None) == 0:
        return Asked(m, as_positive(_V, V))
    return Asked(m, as_positive_definite(_V, as_real(_V, V, shape=(d, d)))[0])
