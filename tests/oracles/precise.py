"""The log density and its gradients in fifty digits, by mpmath."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np


def loglik_and_gradients(X: Any, mu: Any, Sigma: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Log-likelihood of the rows of X, its gradient in mu, and its entrywise table in Sigma."""
    with mpmath.workdps(50):
        S = mpmath.matrix(np.asarray(Sigma, dtype=float).tolist())
        d = S.rows
        P, logdet = mpmath.inverse(S), mpmath.log(mpmath.det(S))
        value, in_mu, in_Sigma = mpmath.mpf(0), mpmath.zeros(d, 1), mpmath.zeros(d, d)
        for x in np.asarray(X, dtype=float):
            y = mpmath.matrix(
                [mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(x, mu, strict=True)]
            )
            w = P * y
            value -= (d * mpmath.log(2 * mpmath.pi) + logdet + (y.T * w)[0]) / 2
            in_mu += w
            in_Sigma -= (P - w * w.T) / 2
        return (
            float(value),
            np.array([float(v) for v in in_mu]),
            np.array([[float(in_Sigma[i, j]) for j in range(d)] for i in range(d)]),
        )
