r"""Differences of the log-likelihood without forming it twice: a move of one entry is an update of low rank.

To move Sigma_ij and Sigma_ji by h changes Sigma by a matrix of rank two, to move one of them alone by one of rank
one.  The determinant lemma and Woodbury's identity give the change of the log-likelihood from four entries of
P = Sigma^-1 and of A = P T P, so after one factorisation each difference costs a few operations.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mvnlib._scaling import TINY, Array, inverse_of_gram, rescaled
from mvnlib._validation import as_positive, as_real, as_scaled, is_finite, one_of, quiet
from mvnlib.conventions import CONVENTIONS
from mvnlib.statistics import as_data, sums

__all__ = ["loglik_differences"]

#: The default step, as a part of the distance to the nearest singular matrix: its square is beyond rounding.
_STEP = 2.0**-30


@quiet
def loglik_differences(
    X: Any, mu: Any, Sigma: Any, *, convention: str = "entrywise", step: float | None = None
) -> Array:
    r"""Central differences of the log-likelihood in every entry of Sigma, each to full precision.

    .. math:: \frac{f(\Sigma + hE) - f(\Sigma - hE)}{2h}

    .. math:: f(\Sigma + hE) - f(\Sigma) = -\tfrac12\left(n\log|I + h K P_J| -
        h\operatorname{tr}\left(K (I + h P_J K)^{-1} A_J\right)\right)

    with P = Sigma^-1, A = P T P, T = sum (x - mu)(x - mu)^T, and E a matrix of zeros but for the 2 x 2 matrix K in
    rows and columns J = (i, j), where P_J and A_J are read.  Nothing is subtracted that is larger than the
    difference, so the step may be small, and the error is that of P and A.

    It is a referee for :func:`mvnlib.loglik_gradient` that uses neither its formula nor its rule of
    differentiation, but the same sums and the same inverse; :func:`mvnlib.fd_gradient` shares nothing with it.

    Parameters
    ----------
    X : array_like, shape (n, d), or NormalStatistics
        Data, one observation a row; or their :class:`mvnlib.NormalStatistics`.
    mu : array_like, shape (d,)
    Sigma : array_like, shape (d, d)
        Symmetric positive definite.
    convention : {"entrywise", "frobenius", "free"}
        ``entrywise`` moves one entry alone, ``free`` moves S_ij and S_ji together; ``frobenius`` is half the
        ``free`` table off the diagonal.
    step : float, optional
        The step h, the same for all entries.  By default a step of its own for each, 2^-30 / sqrt(P_ii P_jj) in
        round numbers: so far below the distance to the nearest singular matrix that truncation is less than
        rounding.

    Returns
    -------
    ndarray, shape (d, d), symmetric

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, real and of the right shape, ``Sigma`` not symmetric, ``convention``
        unknown, ``step`` not positive or so large that it leaves the positive definite matrices, or the result
        overflows.
    numpy.linalg.LinAlgError
        If ``Sigma`` is not positive definite.

    Notes
    -----
    O(n d^2 + d^3) time in all, O(1) for each entry, and O(d^2) memory.

    References
    ----------
    Petersen and Pedersen (2012), eqs. (24) and (156).

    Examples
    --------
    >>> X, mu, Sigma = [[1, 0], [2, 3]], [0, 0], [[2, 1], [1, 2]]
    >>> loglik_differences(X, mu, Sigma, convention="free").round(12)
    array([[-0.38888889,  0.88888889],
           [ 0.88888889,  0.27777778]])
    >>> loglik_differences(X, mu, Sigma, convention="free", step=0.1).round(4)
    array([[-0.3886,  0.8879],
           [ 0.8879,  0.281 ]])
    """
    one_of("convention", convention, CONVENTIONS)
    Sigma, units, L = as_scaled("Sigma", Sigma)
    d = len(Sigma)
    n, _, T = sums(as_data("X", X, d), as_real("mu", mu, shape=(d,)), units)
    on_diagonal = np.eye(d, dtype=bool)
    P = inverse_of_gram(L)
    A = P @ T @ P
    A = A / 2 + A.T / 2
    reach = np.sqrt(np.outer(P.diagonal(), P.diagonal()))
    if step is None:
        h = np.ldexp(_STEP, -np.frexp(reach)[1])
    else:
        h = rescaled(np.full((d, d), as_positive("step", step)), 1 / units)
        # Where this is 1 for an entry, Sigma + h E or Sigma - h E is singular.
        moved = h * (np.abs(P) + (0.0 if convention == "entrywise" else np.where(on_diagonal, 0.0, reach)))
        if not moved.max() < 1:
            raise ValueError(
                f"step must stay below {step / moved.max():.3g}, where Sigma becomes singular, but it is {step}"
            )
        if not (h * reach).min() >= TINY:
            raise ValueError(f"step is so small beside Sigma that products with it lose digits: it is {step}")
    if convention == "entrywise":
        table = (_alone(h, n, P, A) - _alone(-h, n, P, A)) / (2 * h)
    else:
        table = (_tied(h, n, P, A) - _tied(-h, n, P, A)) / (2 * h if convention == "free" else 4 * h)
        t, p, a = h.diagonal(), P.diagonal(), A.diagonal()
        table[on_diagonal] = (_alone(t, n, p, a) - _alone(-t, n, p, a)) / (2 * t)
    table = rescaled(table, 1 / units)
    if not is_finite(table):
        raise ValueError("X is so far from mu, or Sigma so small, that the differences overflow")
    return table


def _alone(h: Array, n: float, P: Array, A: Array) -> Array:
    """What each entry moved by h changes: an update of rank one."""
    x = h * P
    change: Array = -(n * np.log1p(x) - h * A / (1 + x)) / 2
    return change


def _tied(h: Array, n: float, P: Array, A: Array) -> Array:
    """What each pair of entries (i, j) and (j, i) moved by h changes: an update of rank two."""
    p, r = P.diagonal()[:, None], P.diagonal()
    a, c = A.diagonal()[:, None], A.diagonal()
    x = h * (2 * P + h * (P * P - p * r))
    change: Array = -(n * np.log1p(x) + h * (h * (r * a + p * c - 2 * P * A) - 2 * A) / (1 + x)) / 2
    return change
