"""What a careful reader of the book would write with NumPy alone, without checks, chunks or options."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import cholesky, inv, slogdet

LOG_2PI = np.log(2 * np.pi)


def plain_pass(X: Any, *_: Any) -> Any:
    """The limit: one product of the data with themselves."""
    return X.T @ X


def loglik_gradient(X: Any, mu: Any, Sigma: Any) -> Any:
    """Log-likelihood, and its gradient in mu and Sigma, from the scatter matrix about mu."""
    Y = X - mu
    s, T = Y.sum(axis=0), Y.T @ Y
    P = inv(Sigma)
    n, d = X.shape
    value = -(n * (d * LOG_2PI + slogdet(Sigma)[1]) + np.vdot(P, T)) / 2
    return value, P @ s, -(n * P - P @ T @ P) / 2


def loglik_gradient_factor(X: Any, mu: Any, L: Any) -> Any:
    """The same in a lower triangular factor L of Sigma."""
    value, in_mu, in_Sigma = loglik_gradient(X, mu, L @ L.T)
    return value, in_mu, np.tril(2 * in_Sigma @ L)


def loglik(X: Any, mu: Any, Sigma: Any) -> Any:
    """Log-likelihood from the scatter matrix."""
    Y = X - mu
    n, d = X.shape
    return -(n * (d * LOG_2PI + slogdet(Sigma)[1]) + np.vdot(inv(Sigma), Y.T @ Y)) / 2


def logpdf(X: Any, mu: Any, Sigma: Any) -> Any:
    """Log density of each row, with one matrix product by the inverse factor."""
    L = cholesky(Sigma)
    Z = (X - mu) @ inv(L).T
    return -(mu.size * LOG_2PI + np.einsum("ij,ij->i", Z, Z)) / 2 - np.log(L.diagonal()).sum()


def central_differences(f: Any, S: Any) -> Any:
    """The free table by central differences: all moved matrices in one stack, f called once."""
    d = S.shape[0]
    rows, columns = np.tril_indices(d)
    h = 2.0**-17 * np.linalg.eigvalsh(S)[0]
    points = np.repeat(S[None], 2 * rows.size, axis=0)
    k = np.arange(rows.size)
    for half, step in ((0, h), (rows.size, -h)):
        points[half + k, rows, columns] += step
        points[half + k, columns, rows] = points[half + k, rows, columns]
    values = f(points)
    table = np.empty((d, d))
    table[rows, columns] = (values[: rows.size] - values[rows.size :]) / (2 * h)
    table[columns, rows] = table[rows, columns]
    return table


def fisher_information(Sigma: Any) -> Any:
    """Information about vech(Sigma): products of entries of the inverse, gathered by index."""
    P = inv(Sigma)
    columns, rows = np.triu_indices(P.shape[0])
    to_rows, to_columns = P.take(rows, axis=1), P.take(columns, axis=1)
    information = to_rows.take(rows, axis=0)
    information *= to_columns.take(columns, axis=0)
    other = to_columns.take(rows, axis=0)
    other *= to_rows.take(columns, axis=0)
    information += other
    weight = np.where(rows == columns, 0.5, 1.0)
    information *= weight
    information *= weight[:, None]
    return information


def fisher_by_kronecker(Sigma: Any, D: Any) -> Any:
    """The same as the textbook writes it, with the duplication matrix."""
    P = inv(Sigma)
    return D.T @ np.kron(P, P) @ D / 2


def inverse_of_information(Sigma: Any) -> Any:
    """The information is there, and is inverted."""
    information = fisher_information(Sigma)
    return lambda: inv(information)


def natural_gradient(Sigma: Any, G: Any) -> Any:
    """The information is there, and a system of equations is solved with it."""
    information = fisher_information(Sigma)
    rows, columns = np.tril_indices(len(Sigma))
    order = np.lexsort((rows, columns))
    rows, columns = rows[order], columns[order]

    def solution() -> Any:
        table = np.empty_like(G)
        table[rows, columns] = table[columns, rows] = np.linalg.solve(information, G[rows, columns])
        return table

    return solution


def hessian_along(n: Any, T: Any, Sigma: Any, E: Any) -> Any:
    """Change of the gradient in Sigma along E: two products, once what does not depend on E is there."""
    P = inv(Sigma)
    C = n / 4 * P - P @ T @ P / 2

    def along() -> Any:
        Z = P @ E @ C
        return Z + Z.T

    return along
