"""The functions of the book in fifty digits, straight from their definitions: object arrays of mpmath numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import mpmath
import numpy as np

DIGITS = 50
mpmath.mp.dps = DIGITS

#: Whole numbers count units of 2^-BITS: more than a hundred digits behind the point.
BITS = 400
_whole = np.frompyfunc(lambda x: int(mpmath.ldexp(x, BITS)), 1, 1)
_number_of = np.frompyfunc(lambda k, bits: mpmath.ldexp(mpmath.mpf(k), -bits), 2, 1)
_number = np.frompyfunc(mpmath.mpf, 1, 1)
_log = np.frompyfunc(mpmath.log, 1, 1)
_exp = np.frompyfunc(mpmath.exp, 1, 1)


def precise(values: Any) -> Any:
    """Floats as numbers of fifty digits, exactly."""
    return _number(np.asarray(values, dtype=float))


def product(A: Any, B: Any) -> Any:
    """A @ B by whole numbers, which is several times quicker: rounded at 2^-BITS, and not in between."""
    return _number_of(_whole(A) @ _whole(B), 2 * BITS)


def inverse_and_logdet(S: Any) -> tuple[Any, Any]:
    """Inverse and log-determinant of a matrix with positive pivots, by elimination on all rows at once."""
    d = len(S)
    wide = _whole(np.concatenate([S, precise(np.eye(d))], axis=1))
    pivots = []
    for k in range(d):
        pivots.append(wide[k, k])
        wide[k] = (wide[k] << BITS) // wide[k, k]
        others = np.arange(d) != k
        wide[others] = wide[others] - (np.outer(wide[others, k], wide[k]) >> BITS)
    logdet = sum(_log(_number_of(np.array(pivots, dtype=object), BITS)))
    return _number_of(wide[:, d:], BITS), logdet


def inverse_and_logdet_of(S: Any) -> tuple[Any, Any]:
    """The same of floats; the last few are remembered, for they come again with other data."""
    return _remembered(S.tobytes(), len(S))


@lru_cache(8)
def _remembered(buffer: bytes, d: int) -> tuple[Any, Any]:
    return inverse_and_logdet(precise(np.frombuffer(buffer).reshape(d, d)))


def logpdf(Y: Any, P: Any, logdet: Any) -> Any:
    """Log density of each row y = x - mu, with the precision P."""
    d = Y.shape[1]
    return -(d * mpmath.log(2 * mpmath.pi) + logdet + (product(Y, P) * Y).sum(axis=1)) / 2


def sums(Y: Any, counts: Any) -> tuple[Any, Any, Any]:
    """n, s and T of the rows y, each counted so many times."""
    weighted = Y * counts[:, None]
    return counts.sum(), weighted.sum(axis=0), product(weighted.T, Y)


def loglik_gradient(n: Any, s: Any, T: Any, P: Any) -> tuple[Any, Any]:
    """In mu and, entrywise, in Sigma."""
    return P @ s, -(n * P - product(product(P, T), P)) / 2


def loglik_gradient_factor(n: Any, T: Any, inverse: Any) -> Any:
    """In L, given its inverse: -n L^-T + P T L^-T."""
    return product(inverse.T, product(product(inverse, T), inverse.T)) - n * inverse.T


def loglik_hessian(n: Any, s: Any, T: Any, P: Any, dmu: Any, dSigma: Any) -> tuple[Any, Any]:
    """The change of the gradient along a direction, by the product rule."""
    dP = -product(product(P, dSigma), P)
    ds, dT = -n * dmu, -np.outer(dmu, s) - np.outer(s, dmu)
    moved = product(product(dP, T), P)
    return dP @ s + P @ ds, -(n * dP - moved - product(product(P, dT), P) - moved.T) / 2


def fisher_entries(P: Any, rows: Any, columns: Any, order: Any) -> Any:
    """Chosen entries of the information about vech(Sigma): D^T (P kron P) D / 2, written out.

    ``order`` holds i and j of every entry of vech.
    """
    i, j = (index[rows] for index in order)
    k, m = (index[columns] for index in order)
    weight = np.where(i == j, 1, 2) * np.where(k == m, 1, 2)
    return (P[i, k] * P[j, m] + P[i, m] * P[j, k]) * weight / 4


def em_step(X: Any, counts: Any, weights: Any, means: Any, covariances: Any) -> dict[str, Any]:
    """Precisions, log densities, responsibilities, log-likelihood, and the parameters after one EM step; of floats."""
    X, counts, weights, means = map(precise, (X, counts, weights, means))
    logs, precisions = [], []
    for mean, covariance in zip(means, covariances, strict=True):
        P, logdet = inverse_and_logdet_of(covariance)
        precisions.append(P)
        logs.append(logpdf(X - mean, P, logdet))
    densities = _exp(np.stack(logs)) * weights[:, None]
    total = densities.sum(axis=0)
    r = densities / total
    N = (r * counts).sum(axis=1)
    new_means = product(r * counts, X) / N[:, None]
    new = [
        product(((X - m) * (q * counts / N_k)[:, None]).T, X - m)
        for m, q, N_k in zip(new_means, r, N, strict=True)
    ]
    return {
        "precisions": np.stack(precisions),
        "log densities": np.stack(logs),
        "responsibilities": r,
        "loglik": (_log(total) * counts).sum(),
        "weights": N / counts.sum(),
        "means": new_means,
        "covariances": np.stack(new),
    }
