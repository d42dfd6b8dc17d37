"""The same functions by other libraries, each as its users would write it.

Every function here takes the data of a case and returns a call without arguments: what is done once (moving the
data, compiling, setting up) is not timed.  Libraries are imported where they are used, so that one which is not
installed is missed by its own rows alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mvnlib import duplication_matrix, unvech, vech

LOG_2PI = np.log(2 * np.pi)


# JAX: compiled, in double precision


def _jax() -> Any:
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    return jax


def _compiled(function: Any, *data: Any) -> Any:
    jax = _jax()
    compiled, moved = jax.jit(function), [jax.device_put(part) for part in data]
    return lambda: jax.block_until_ready(compiled(*moved))


def _jax_loglik(X: Any, mu: Any, L: Any) -> Any:
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    Z = solve_triangular(L, (X - mu).T, lower=True)
    n, d = X.shape
    return -(n * d * LOG_2PI + (Z**2).sum()) / 2 - n * jnp.log(jnp.diagonal(L)).sum()


def jax_loglik_gradient(X: Any, mu: Any, Sigma: Any) -> Any:
    jax = _jax()

    def value_and_gradient(X: Any, mu: Any, Sigma: Any) -> Any:
        f = lambda mu, Sigma: _jax_loglik(X, mu, jax.numpy.linalg.cholesky(Sigma))  # noqa: E731
        value, slopes = jax.value_and_grad(f, argnums=(0, 1))(mu, Sigma)
        return value, *slopes

    return _compiled(value_and_gradient, X, mu, Sigma)


def jax_loglik_gradient_factor(X: Any, mu: Any, L: Any) -> Any:
    jax = _jax()

    def value_and_gradient(X: Any, mu: Any, L: Any) -> Any:
        value, slopes = jax.value_and_grad(_jax_loglik, argnums=(1, 2))(X, mu, L)
        return value, slopes[0], jax.numpy.tril(slopes[1])

    return _compiled(value_and_gradient, X, mu, L)


def jax_loglik(X: Any, mu: Any, Sigma: Any) -> Any:
    _jax()
    from jax.scipy.stats import multivariate_normal

    return _compiled(lambda *data: multivariate_normal.logpdf(*data).sum(), X, mu, Sigma)


def jax_logpdf(X: Any, mu: Any, Sigma: Any) -> Any:
    _jax()
    from jax.scipy.stats import multivariate_normal

    return _compiled(multivariate_normal.logpdf, X, mu, Sigma)


def _jax_profile(S: Any, n: Any, T: Any) -> Any:
    import jax.numpy as jnp

    return -(n * jnp.linalg.slogdet(S)[1] + jnp.vdot(jnp.linalg.inv(S), T)) / 2


def jax_check_grads(f: Any, S: Any, n: Any, T: Any) -> Any:
    _jax()
    from jax.test_util import check_grads

    moved = S.copy()
    return lambda: check_grads(lambda S: _jax_profile(S, n, T), (moved,), order=1, modes="rev") is None


def jax_fisher_information(Sigma: Any) -> Any:
    jax = _jax()
    D = duplication_matrix(Sigma.shape[0])

    def information(v: Any, Sigma: Any) -> Any:
        f = lambda v: _jax_profile((D @ v).reshape(Sigma.shape), 1.0, Sigma)  # noqa: E731
        return -jax.hessian(f)(v)

    return _compiled(information, vech(Sigma), Sigma)


def jax_hessian_product(n: Any, T: Any, Sigma: Any, E: Any) -> Any:
    jax = _jax()

    def product(n: Any, T: Any, Sigma: Any, E: Any) -> Any:
        return jax.jvp(lambda S: jax.grad(_jax_profile)(S, n, T), (Sigma,), (E,))[1]

    return _compiled(product, n, T, Sigma, E)


# PyTorch: autograd, in double precision


def _tensors(*data: Any) -> Any:
    import torch

    return torch, *[torch.from_numpy(np.array(part)) for part in data]


def _torch_loglik(torch: Any, X: Any, mu: Any, L: Any) -> Any:
    Z = torch.linalg.solve_triangular(L, (X - mu).T, upper=False)
    n, d = X.shape
    return -(n * d * LOG_2PI + (Z**2).sum()) / 2 - n * torch.log(torch.diagonal(L)).sum()


def torch_loglik_gradient(X: Any, mu: Any, Sigma: Any) -> Any:
    torch, X, mu, Sigma = _tensors(X, mu, Sigma)

    def value_and_gradient() -> Any:
        m, S = mu.clone().requires_grad_(), Sigma.clone().requires_grad_()
        value = _torch_loglik(torch, X, m, torch.linalg.cholesky(S))
        return value.item(), *torch.autograd.grad(value, (m, S))

    return value_and_gradient


def torch_loglik_gradient_factor(X: Any, mu: Any, L: Any) -> Any:
    torch, X, mu, L = _tensors(X, mu, L)

    def value_and_gradient() -> Any:
        m, F = mu.clone().requires_grad_(), L.clone().requires_grad_()
        value = _torch_loglik(torch, X, m, F)
        in_mu, in_L = torch.autograd.grad(value, (m, F))
        return value.item(), in_mu, torch.tril(in_L)

    return value_and_gradient


def torch_gradcheck(f: Any, S: Any, n: Any, T: Any) -> Any:
    torch, S, T = _tensors(S, T)
    S.requires_grad_()
    return lambda: torch.autograd.gradcheck(
        lambda S: -(n * torch.slogdet(S)[1] + (torch.linalg.inv(S) * T).sum()) / 2, (S,), rtol=1e-3
    )


def torch_fisher_information(Sigma: Any) -> Any:
    torch, D, v, T = _tensors(duplication_matrix(Sigma.shape[0]), vech(Sigma), Sigma)

    def profile(v: Any) -> Any:
        S = (D @ v).reshape(T.shape)
        return (torch.slogdet(S)[1] + (torch.linalg.inv(S) * T).sum()) / 2

    return lambda: torch.autograd.functional.hessian(profile, v)


# SciPy


def scipy_loglik(X: Any, mu: Any, Sigma: Any) -> Any:
    from scipy.stats import multivariate_normal

    return lambda: multivariate_normal.logpdf(X, mu, Sigma).sum()


def scipy_logpdf(X: Any, mu: Any, Sigma: Any) -> Any:
    from scipy.stats import multivariate_normal

    return lambda: multivariate_normal.logpdf(X, mu, Sigma)


def _free_table(slopes: Any) -> Any:
    """Slopes in the free entries, in the order of vech, as a symmetric matrix."""
    return unvech(np.atleast_1d(slopes))


def scipy_differentiate(f: Any, S: Any, n: Any, T: Any) -> Any:
    from scipy.differentiate import jacobian

    D, v = duplication_matrix(S.shape[0]), vech(S)

    def of_many(v: Any) -> Any:
        return f(np.moveaxis(np.tensordot(D, v, 1), 0, -1).reshape(*v.shape[1:], *S.shape))

    return lambda: _free_table(jacobian(of_many, v, initial_step=np.linalg.eigvalsh(S)[0] / 8).df)


# numdifftools


def numdifftools_gradient(f: Any, S: Any, n: Any, T: Any) -> Any:
    import numdifftools

    v = vech(S)
    return lambda: _free_table(numdifftools.Gradient(lambda v: float(f(unvech(v))))(v))


# scikit-learn


def sklearn_em_step(X: Any, weights: Any, means: Any, covariances: Any) -> Any:
    """One turn of the loop in ``GaussianMixture.fit``: its own E step and M step."""
    from sklearn.mixture import GaussianMixture
    from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

    model = GaussianMixture(weights.size, reg_covar=0.0)

    factors = _compute_precision_cholesky(covariances, "full")

    def step() -> Any:
        model.weights_, model.means_, model.covariances_ = weights, means, covariances
        model.precisions_cholesky_ = factors
        mean_log, log_responsibilities = model._e_step(X)
        model._m_step(X, log_responsibilities)
        return model.weights_, model.means_, model.covariances_, len(X) * mean_log

    return step
