"""Every function of the table once more, in other words, for JAX to differentiate.

No line here is taken from ``mvnlib``, and each formulation is another one where there is another: a QR factorisation
for the log-determinant, expansion along a row for the determinant, a solve for the inverse, ``jax.scipy`` for the
density.  So a wrong f in the table is seen, not only a wrong derivative of it.  The arguments are in the table's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import multivariate_normal

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def determinant(S: Any) -> Any:
    """By expansion along the first row."""
    if S.shape[0] == 1:
        return S[0, 0]
    rest = [jnp.delete(S[1:], j, axis=1) for j in range(S.shape[0])]
    return sum((-1) ** j * S[0, j] * determinant(minor) for j, minor in enumerate(rest))


def adjugate(S: Any) -> Any:
    """By the recursion of Faddeev and LeVerrier for the characteristic polynomial."""
    d = S.shape[0]
    M = np.eye(d)
    for k in range(1, d):
        M = S @ M - (S * M.T).sum() / k * np.eye(d)
    return (-1) ** (d - 1) * M


def log_determinant(S: Any) -> Any:
    return jnp.log(jnp.abs(jnp.diagonal(jnp.linalg.qr(S)[1]))).sum()


def solve(S: Any, b: Any) -> Any:
    return jnp.linalg.solve(S, b)


def logpdf(x: Any, mu: Any, Sigma: Any) -> Any:
    """For every invertible Sigma, symmetric or not."""
    y = x - mu
    return -0.5 * (x.size * jnp.log(2 * jnp.pi) + log_determinant(Sigma) + y @ solve(Sigma, y))


def symmetric_logpdf(x: Any, mu: Any, Sigma: Any) -> Any:
    """By Cholesky factorisation: reads Sigma as (Sigma + Sigma^T) / 2."""
    return multivariate_normal.logpdf(x, mu, Sigma)


def _score_mu(x: Any, mu: Any, Sigma: Any) -> Any:
    return jax.grad(logpdf, 1)(x, mu, Sigma)


def _score_Sigma(x: Any, mu: Any, Sigma: Any) -> Any:
    return jax.grad(logpdf, 2)(x, mu, Sigma)


def _log_mixture(density: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, mu, Sigma, pi, c: jnp.logaddexp(jnp.log(pi) + density(x, mu, Sigma), jnp.log(c))


#: The function that each differentiable entry differentiates.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    # products and traces
    "trace_product": lambda X, A: jnp.einsum("ij,ji", A, X),
    "bilinear": lambda M, a, b: jnp.einsum("i,ij,j", a, M, b),
    "quadratic_x": lambda x, M: jnp.einsum("i,ij,j", x, M, x),
    "quadratic": lambda M, a: jnp.einsum("i,ij,j", a, M, a),
    "product": lambda X, B: jnp.einsum("ij,jk,kl->il", X, B, X),
    "sandwich": lambda B, A: jnp.einsum("ij,jk,kl->il", A, B, A),
    # determinants and inverses
    "det": determinant,
    "logdet": log_determinant,
    "inv": lambda S: solve(S, jnp.eye(S.shape[0])),
    "bilinear_inv": lambda S, a, b: a @ solve(S, b),
    "trace_inv": lambda S, A, B: jnp.einsum("ij,ji", solve(S, B), A),
    # S = L L^T
    "gram": lambda L: jnp.einsum("ik,jk->ij", L, L),
    "logdet_gram": lambda L: 2 * log_determinant(L),
    "quadratic_gram": lambda L, T: jnp.einsum("ij,ij", solve(L, T), solve(L, jnp.eye(L.shape[0]))),
    # the normal density
    "normal_logpdf_x": symmetric_logpdf,
    "normal_logpdf_mu": symmetric_logpdf,
    "normal_logpdf_Sigma": logpdf,
    "normal_pdf_x": multivariate_normal.pdf,
    "normal_pdf_mu": multivariate_normal.pdf,
    "normal_pdf_Sigma": lambda x, mu, Sigma: jnp.exp(logpdf(x, mu, Sigma)),
    "normal_logpdf_P": lambda P, x, mu: (
        0.5 * log_determinant(P) - 0.5 * jnp.einsum("i,ij,j", x - mu, P, x - mu)
    ),
    # second derivatives: here the first one is taken by JAX too
    "hessian_mu": lambda mu, x, Sigma: jax.grad(symmetric_logpdf, 1)(x, mu, Sigma),
    "hessian_mu_Sigma": lambda Sigma, x, mu: solve(Sigma, x - mu),
    "hessian_Sigma": lambda Sigma, x, mu: _score_Sigma(x, mu, Sigma),
    "heat": lambda x, mu, Sigma: jax.grad(multivariate_normal.pdf, 0)(x, mu, Sigma),
    # maximum likelihood and mixtures
    "em_objective": lambda S, C: -log_determinant(S) + jnp.einsum("ij,ji", S, C),
    "mixture_pi": _log_mixture(symmetric_logpdf),
    "mixture_mu": _log_mixture(symmetric_logpdf),
    "mixture_Sigma": _log_mixture(logpdf),
}

#: A third value of one side of each equality, in other words again.
SIDES: dict[str, Callable[..., Any]] = {
    "adjugate": lambda S: S @ adjugate(S),
    "resolvent": lambda S, E: solve(S + E, jnp.eye(S.shape[0])),
    "trace_cycle": lambda A, B: jnp.einsum("ij,ji", A, B),
    "vec_kron": lambda A, X, B: jnp.einsum("ij,jk,kl->li", A, X, B).reshape(-1),
    "trace_vec": lambda A, B: jnp.einsum("ij,ij", A, B),
    "information_Sigma": lambda Sigma, E, F: jnp.einsum("ij,ji", solve(Sigma, E), solve(Sigma, F)) / 2,
    "cholesky": lambda L, dS: dS,
}
