"""Units, and triangular matrices: what keeps a covariance matrix of unlike variances in the range of floats.

A variance of 1e300 beside one of 1e-300 is no harder than two of 1, if each coordinate is counted in a unit of
its own.  Units here are powers of two: to multiply by them rounds nothing, so results are the same to the last
digit as if no unit had been chosen, wherever that would not have left the range of floats.  Where it could not,
none is chosen: units are then the number 1.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Units = Array | float

EPS = float(np.finfo(float).eps)
TINY = float(np.finfo(float).tiny)  #: smaller floats have fewer digits

#: Between these and one over them, neither products of four numbers nor their sums leave the range of floats.
_TAME = 2.0**128
_LEAF = 32


def units_of(deviations: Array) -> Units:
    """Powers of two u with deviations / u between 1/2 and 1, or 1.0 if all deviations are tame."""
    tame = (deviations < _TAME) & (deviations > 1 / _TAME)
    return 1.0 if np.count_nonzero(tame) == tame.size else powers_of_two(deviations)


def powers_of_two(deviations: Array) -> Array:
    """Powers of two u with deviations / u between 1/2 and 1; of 0 it is 1, and u and 1 / u are floats."""
    _, exponents = np.frexp(deviations)
    powers: Array = np.ldexp(1.0, np.clip(exponents, -1022, 1023))
    return powers


def rescaled(M: Array, factors: Units) -> Array:
    """diag(factors) M diag(factors), one factor after the other: their product may be no float."""
    if isinstance(factors, float):
        return M
    result: Array = M * factors[:, None]
    result *= factors
    return result


def inverse_of_lower(L: Array) -> Array:
    """L^-1 of a lower triangular matrix, or of each of a stack: d^3 / 3 operations, most of them in products."""
    d = L.shape[-1]
    if d == 1:
        return 1 / L
    if d <= _LEAF:
        # LU of an upper triangular matrix exchanges no rows and eliminates nothing: what is left of the
        # general inverse is a triangular solve.
        return cast(Array, np.linalg.inv(L.mT).mT)
    h = d // 2
    inverse = np.zeros(L.shape)
    inverse[..., :h, :h] = inverse_of_lower(L[..., :h, :h])
    inverse[..., h:, h:] = inverse_of_lower(L[..., h:, h:])
    part = L[..., h:, :h] @ inverse[..., :h, :h]
    np.matmul(inverse[..., h:, h:], part, out=inverse[..., h:, :h])
    inverse[..., h:, :h] *= -1
    return inverse


def inverse_of_gram(L: Array) -> Array:
    """(L L^T)^-1 of a lower triangular matrix, symmetric to the last digit."""
    W = inverse_of_lower(L)
    P: Array = W.T @ W
    return P


def log_determinant(L: Array, units: Units) -> float:
    """log|U L L^T U| of a Cholesky factor L, with U the diagonal matrix of ``units``."""
    return 2 * float(np.log(L.diagonal() * units).sum())


def exact_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b as a float, and what that rounded off (Knuth's two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
