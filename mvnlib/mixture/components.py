"""The components of a mixture after validation, ready to be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mvnlib._scaling import Array, inverse_of_lower, powers_of_two
from mvnlib._validation import as_real, as_scaled
from mvnlib._values import Value
from mvnlib.normal import LOG_2PI

#: Pivots above this, variances being about one, are those of a matrix far from singular.
_CLEAR = 1e-4
#: How far percentages that were rounded, such as three of 33, may sum from 100.
_PERCENT = 1.0


@dataclass(frozen=True, eq=False)
class Components(Value):
    """Components with the inverse Cholesky factors (K, d, d) of their covariances, and the logarithms (K,) of
    w_k N(mu_k | mu_k, Sigma_k)."""

    weights: Array
    means: Array
    covariances: Array
    roots: Array
    log_scales: Array

    def those(self, chosen: Any) -> Components:
        """The components ``chosen``."""
        if isinstance(chosen, slice):
            return self
        return Components(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def copy(self) -> Components:
        """The same with parameters of its own."""
        parameters = self.weights.copy(), self.means.copy(), self.covariances.copy()
        return Components(*parameters, self.roots, self.log_scales)


def checked(weights: Any, means: Any, covariances: Any) -> Components:
    """The components of the public functions' arguments, or an error that names the argument."""
    weights = as_real("weights", weights, ndim=1)
    K = weights.size
    means = as_real("means", means, shape=(K, None))
    d = means.shape[1]
    covariances = as_real("covariances", covariances, shape=(K, d, d))
    k = int(np.argmin(weights))
    if weights[k] < 0:
        raise ValueError(f"weights must not be negative, but weights[{k}] = {weights[k]}")
    if weights[k] == 0 and not weights.any():
        raise ValueError("weights must not all be zero")
    total = float(np.add.reduce(weights))
    if abs(total - 100) <= _PERCENT:
        raise ValueError(
            f"weights sum to {total:.6g}, as percentages do: pass shares that sum to 1, weights / {total:.6g}"
        )
    units, factors = _factored(covariances)
    roots = np.divide(inverse_of_lower(factors), units[:, None, :], order="C")
    log_scales = np.log(weights) - d / 2 * LOG_2PI
    log_scales -= np.log(np.diagonal(factors, axis1=1, axis2=2) * units).sum(axis=1)
    return Components(weights, means, covariances, roots, log_scales)


def _factored(covariances: Array) -> tuple[Array, Array]:
    """Units (K, d) and lower factors (K, d, d) of covariances U L L^T U, or an error that names the one."""
    if not np.count_nonzero(covariances != covariances.mT):
        units = powers_of_two(np.sqrt(np.diagonal(covariances, axis1=1, axis2=2)))
        try:
            factors = np.linalg.cholesky(covariances / units[:, :, None] / units[:, None, :])
        except np.linalg.LinAlgError:
            pass
        else:
            if np.diagonal(factors, axis1=1, axis2=2).min() > _CLEAR:
                return units, cast(Array, factors)
    # One by one those of which some may be in need of a closer look, or of an error.
    each = [as_scaled(f"covariances[{k}]", covariance)[1:] for k, covariance in enumerate(covariances)]
    d = covariances.shape[1]
    return np.stack([np.ones(d) * units for units, _ in each]), np.stack([L for _, L in each])


def buffer_length(size: int, rows: int) -> int:
    """Columns of a buffer of about ``size`` bytes that has ``rows`` rows.

    Rows are not a multiple of 4096 bytes apart: they would get into each other's way in the cache.
    """
    return size // (8 * rows) // 64 * 64 + 8
