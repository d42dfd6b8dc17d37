"""Second derivatives: against automatic differentiation, closed forms, fifty digits, and known integrals."""

from __future__ import annotations

import math
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hostile import NOT_A_COVARIANCE, NOT_REAL, NOT_SQUARE, NOT_SYMMETRIC, disguises
from hypothesis import given
from hypothesis import strategies as st
from oracles import autodiff
from oracles.precise import loglik_and_gradients
from scipy.special import betaln, gammaln
from tolerances import assert_close, rounding

from mvnlib import (
    Laplace,
    NormalStatistics,
    convert_gradient,
    duplication_matrix,
    elimination_matrix,
    fd_differential,
    fisher_information,
    fisher_information_inverse,
    fisher_information_product,
    fit_normal,
    laplace,
    loglik,
    loglik_gradient,
    loglik_hessian,
    loglik_hessian_operator,
    logpdf,
    natural_gradient,
    spaces,
    unvech,
    vech,
)
from mvnlib.conventions import CONVENTIONS
from mvnlib.identities import TABLE

DIMENSIONS = range(1, 7)
sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)


def draw(n: int, d: int, seed: int, condition: float = 10.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    Sigma = spaces.positive_definite.draw(rng, d, condition)
    mu = rng.standard_normal(d)
    return {
        "X": mu + rng.standard_normal((n, d)) @ np.linalg.cholesky(Sigma).T,
        "mu": mu,
        "Sigma": Sigma,
        "dmu": rng.standard_normal(d),
        "dSigma": spaces.symmetric.direction(rng, d),
    }


def hessian(point: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return loglik_hessian(*point.values())


# ---- The Hessian in a direction


@pytest.mark.parametrize("d", DIMENSIONS)
def test_hessian_is_that_of_jax_differentiated_twice(d: int) -> None:
    for n, seed in ((1, 0), (7, 1)):
        X, mu, Sigma, dmu, dSigma = map(jnp.asarray, draw(n, d, seed).values())

        def total(mu: Any, Sigma: Any, X: Any = X) -> Any:
            return jax.vmap(lambda x: autodiff.logpdf(x, mu, Sigma))(X).sum()

        _, (in_mu, in_Sigma) = jax.jit(lambda *at: jax.jvp(jax.grad(total, (0, 1)), at[:2], at[2:]))(
            mu, Sigma, dmu, dSigma
        )
        found = loglik_hessian(X, mu, Sigma, dmu, dSigma)
        assert_close(found[0], in_mu, 1e-10)
        assert_close(found[1], (in_Sigma + in_Sigma.T) / 2, 1e-10)


@pytest.mark.parametrize("d", [1, 3])
def test_hessian_in_the_free_entries_is_that_of_jax_of_a_cholesky_density(d: int) -> None:
    point = draw(5, d, 2)
    X, mu, Sigma = (jnp.asarray(point[name]) for name in ("X", "mu", "Sigma"))
    D = duplication_matrix(d)

    def total(theta: Any) -> Any:
        S = (D @ theta[d:]).reshape(d, d)
        return jax.scipy.stats.multivariate_normal.logpdf(X, theta[:d], S).sum()

    theta = jnp.concatenate([mu, jnp.asarray(vech(Sigma))])
    table = np.array(jax.jit(jax.hessian(total))(theta))
    columns = []
    for e in np.eye(len(theta)):
        in_mu, in_Sigma = loglik_hessian(X, mu, Sigma, e[:d], unvech(e[d:]))
        columns.append(np.concatenate([in_mu, D.T @ in_Sigma.ravel()]))
    assert_close(np.array(columns).T, table, 1e-10)


@given(n=st.integers(1, 10), d=sizes, seed=seeds)
def test_hessian_is_the_change_of_the_frobenius_gradient(n: int, d: int, seed: int) -> None:
    X, mu, Sigma, dmu, dSigma = draw(n, d, seed).values()

    def gradient(t: Any) -> np.ndarray:
        t = float(t[0])
        in_mu, in_Sigma = loglik_gradient(X, mu + t * dmu, Sigma + t * dSigma, convention="frobenius")
        return np.concatenate([in_mu, in_Sigma.ravel()])

    step = 0.05 * np.linalg.eigvalsh(Sigma)[0] / max(np.linalg.norm(dSigma, 2), 1e-3)
    change = fd_differential(gradient, np.zeros(1), np.ones(1), "richardson", step)
    in_mu, in_Sigma = loglik_hessian(X, mu, Sigma, dmu, dSigma)
    assert_close(np.concatenate([in_mu, in_Sigma.ravel()]), change, 1e-7)


@given(d=sizes, seed=seeds)
def test_one_row_gives_the_entries_of_the_table(d: int, seed: int) -> None:
    X, mu, Sigma, dmu, dSigma = draw(1, d, seed).values()
    point, zero = {"x": X[0], "mu": mu, "Sigma": Sigma}, np.zeros_like
    tolerance = rounding(1e3)
    assert_close(
        loglik_hessian(X, mu, Sigma, dmu, zero(dSigma))[0],
        TABLE["hessian_mu"].differential(point, dmu),
        tolerance,
    )
    in_mu, in_Sigma = loglik_hessian(X, mu, Sigma, zero(dmu), dSigma)
    assert_close(in_mu, TABLE["hessian_mu_Sigma"].differential(point, dSigma), tolerance)
    expected = TABLE["hessian_Sigma"].differential(point, dSigma)
    assert_close(in_Sigma, (expected + expected.T) / 2, tolerance)


@pytest.mark.parametrize("d", DIMENSIONS)
def test_at_the_estimate_the_blocks_are_minus_n_times_the_information(d: int) -> None:
    point = draw(20, d, 3)
    mu, Sigma = fit_normal(point["X"])
    P, E = np.linalg.inv(Sigma), point["dSigma"]
    in_mu, in_Sigma = loglik_hessian(point["X"], mu, Sigma, point["dmu"], E)
    size = 20 * np.abs(P).max() * max(np.abs(point["dmu"]).max(), np.abs(E).max()) * (1 + np.abs(P).max())
    assert np.abs(in_mu + 20 * P @ point["dmu"]).max() <= rounding(100) * size
    assert np.abs(in_Sigma + 20 * P @ E @ P / 2).max() <= rounding(100) * size
    information_mu, information = fisher_information(Sigma)
    assert_close(in_mu, -20 * information_mu @ point["dmu"], 1e-9)
    assert_close(duplication_matrix(d).T @ in_Sigma.ravel(), -20 * information @ vech(E), 1e-9)


@given(n=st.integers(1, 8), d=sizes, seed=seeds)
def test_the_bilinear_form_is_symmetric(n: int, d: int, seed: int) -> None:
    point, other = draw(n, d, seed), draw(n, d, seed ^ 1)
    crossed = point | {"dmu": other["dmu"], "dSigma": other["dSigma"]}
    one, two = hessian(point), hessian(crossed)
    left = one[0] @ crossed["dmu"] + np.sum(one[1] * crossed["dSigma"])
    right = two[0] @ point["dmu"] + np.sum(two[1] * point["dSigma"])
    size = sum(np.abs(part).max() for part in (*one, *two)) * (d + d * d) * 5
    assert abs(left - right) <= rounding(100) * size


@given(n=st.integers(2, 8), d=sizes, seed=seeds)
def test_rows_add_and_directions_add(n: int, d: int, seed: int) -> None:
    point = draw(n, d, seed)
    whole = hessian(point)
    rows = [hessian(point | {"X": row[None]}) for row in point["X"]]
    nothing = {"dmu": np.zeros(d), "dSigma": np.zeros((d, d))}
    blocks = [hessian(point | {name: nothing[name]}) for name in nothing]
    for k in (0, 1):
        size = sum(np.abs(part[k]).max() for part in rows) + sum(np.abs(part[k]).max() for part in blocks)
        for parts in (rows, blocks):
            assert np.abs(whole[k] - sum(part[k] for part in parts)).max() <= rounding(100) * size
    assert np.array_equal(whole[1], whole[1].T)


HARD = {
    "one row, one dimension": (1, 1, 1.0, 0.0),
    "one row": (1, 3, 10.0, 0.0),
    "condition number 1e6": (5, 3, 1e6, 0.0),
    "condition number 1e10": (5, 3, 1e10, 0.0),
    "data a thousand standard deviations away": (5, 3, 10.0, 1e3),
    "data a billion away": (3, 2, 10.0, 1e9),
}


@pytest.mark.parametrize("case", HARD)
def test_hessian_is_right_in_fifty_digits(case: str) -> None:
    n, d, condition, far = HARD[case]
    X, mu, Sigma, dmu, dSigma = draw(n, d, 5, condition).values()
    X = X + far
    with mpmath.workdps(50):
        S, E = mpmath.matrix(Sigma.tolist()), mpmath.matrix(dSigma.tolist())
        P, m = mpmath.inverse(S), mpmath.matrix(dmu.tolist())
        in_mu, in_Sigma = mpmath.zeros(d, 1), mpmath.zeros(d, d)
        for x in X:
            y = mpmath.matrix(
                [mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(x, mu, strict=True)]
            )
            w, u, v = P * y, P * m, P * (E * (P * y))
            in_mu -= u + v
            in_Sigma += (P * E * P - (v + u) * w.T - w * (v + u).T) / 2
        expected = [np.array(part.tolist(), dtype=float) for part in (in_mu, in_Sigma)]
    found = loglik_hessian(X, mu, Sigma, dmu, dSigma)
    assert_close(found[0], expected[0][:, 0], rounding(condition))
    assert_close(found[1], expected[1], rounding(condition))


def test_data_far_from_the_origin_but_near_the_mean_lose_no_digits() -> None:
    point = draw(50, 3, 6)
    # Shifted in the binary digits that the float keeps, so that both have the same deviations.
    X, mu = np.round(point["X"] * 2**20) / 2**20, np.round(point["mu"] * 2**20) / 2**20
    near, far = (hessian(point | {"X": X + shift, "mu": mu + shift}) for shift in (0.0, 2.0**26))
    assert_close(far[0], near[0], rounding())
    assert_close(far[1], near[1], rounding())


def test_the_log_likelihood_is_concave_in_the_mean_but_not_in_the_covariance() -> None:
    point = draw(6, 3, 7)
    nothing = np.zeros((3, 3))
    assert point["dmu"] @ hessian(point | {"dSigma": nothing})[0] < 0
    flat = point | {"X": np.tile(point["mu"], (6, 1)), "dmu": np.zeros(3)}
    assert np.sum(hessian(flat)[1] * flat["dSigma"]) > 0


def test_many_rows_are_gathered_in_one_pass() -> None:
    point = draw(300_001, 2, 8)
    s = (point["X"] - point["mu"]).sum(axis=0)
    P = np.linalg.inv(point["Sigma"])
    expected = -P @ (300_001 * point["dmu"] + point["dSigma"] @ P @ s)
    assert_close(hessian(point)[0], expected, 1e-10)


@pytest.mark.parametrize("d", [1, 3, 40])
def test_the_operator_at_a_point_gives_the_hessian_in_every_direction(d: int) -> None:
    point = draw(9, d, 9)
    operator = loglik_hessian_operator(point["X"], point["mu"], point["Sigma"])
    for seed in range(3):
        other = draw(9, d, seed)
        found = operator(other["dmu"], other["dSigma"])
        expected = hessian(point | {"dmu": other["dmu"], "dSigma": other["dSigma"]})
        for part, whole in zip(found, expected, strict=True):
            assert np.array_equal(part, whole)


def test_the_operator_keeps_nothing_that_the_caller_may_change() -> None:
    point = draw(9, 3, 9)
    arrays = {name: point[name].copy() for name in ("X", "mu", "Sigma")}
    operator = loglik_hessian_operator(**arrays)
    for array in arrays.values():
        array[...] = 7
    for part, whole in zip(operator(point["dmu"], point["dSigma"]), hessian(point), strict=True):
        assert np.array_equal(part, whole)
    point["dSigma"][0, 1] += 1e-6  # and is as strict as at first
    with pytest.raises(ValueError, match=r"^dSigma must be symmetric"):
        operator(point["dmu"], point["dSigma"])


def test_the_operator_survives_a_pickle() -> None:
    point = draw(9, 3, 9)
    operator = loglik_hessian_operator(point["X"], point["mu"], point["Sigma"])
    sent = pickle.loads(pickle.dumps(operator))
    for part, whole in zip(sent(dmu=point["dmu"], dSigma=point["dSigma"]), hessian(point), strict=True):
        assert np.array_equal(part, whole)


# ---- The expected information


@pytest.mark.parametrize("d", DIMENSIONS)
def test_information_is_the_kronecker_product_between_duplication_matrices(d: int) -> None:
    for condition in (10.0, 1e6):
        Sigma = draw(1, d, d, condition)["Sigma"]
        P, D = np.linalg.inv(Sigma), duplication_matrix(d)
        information_mu, information = fisher_information(Sigma)
        assert_close(information_mu, P, rounding(condition))
        assert_close(information, D.T @ np.kron(P, P) @ D / 2, rounding(condition))
        assert np.array_equal(information, information.T)
        assert np.linalg.eigvalsh(information)[0] > 0


@pytest.mark.parametrize("d", DIMENSIONS)
def test_information_is_the_hessian_of_the_expected_log_density(d: int) -> None:
    """E log f under the truth is -(log|S| + tr(S^-1 Sigma) + |mu - m|^2_S) / 2, and JAX differentiates it twice."""
    Sigma = draw(1, d, d)["Sigma"]
    D = duplication_matrix(d)

    def expected(theta: Any) -> Any:
        S = (D @ theta[d:]).reshape(d, d)
        form = jnp.trace(jnp.linalg.solve(S, Sigma)) + theta[:d] @ jnp.linalg.solve(S, theta[:d])
        return (autodiff.log_determinant(S) + form) / 2

    table = np.array(
        jax.jit(jax.hessian(expected))(jnp.concatenate([jnp.zeros(d), jnp.asarray(vech(Sigma))]))
    )
    information_mu, information = fisher_information(Sigma)
    assert_close(table[:d, :d], information_mu, 1e-10)
    assert_close(table[d:, d:], information, 1e-10)
    assert np.abs(table[:d, d:]).max() <= 1e-10 * np.abs(table).max()


@pytest.mark.parametrize("d", [1, 2, 3])
def test_information_is_the_variance_of_the_score(d: int) -> None:
    """Exactly: the score is quadratic in x, and three Gauss-Hermite nodes a side integrate its square."""
    _, mu, Sigma, _, _ = draw(1, d, 9).values()
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    grid = np.stack(np.meshgrid(*[nodes] * d), axis=-1).reshape(-1, d)
    chance = np.prod(np.stack(np.meshgrid(*[weights] * d), axis=-1).reshape(-1, d), axis=1)
    chance /= chance.sum()
    X = mu + grid @ np.linalg.cholesky(Sigma).T
    scores = [loglik_gradient(x[None], mu, Sigma, convention="free") for x in X]
    scores = np.array([np.concatenate([in_mu, vech(in_Sigma)]) for in_mu, in_Sigma in scores])
    information_mu, information = fisher_information(Sigma)
    p = len(information)
    expected = np.block([[information_mu, np.zeros((d, p))], [np.zeros((p, d)), information]])
    assert np.abs(chance @ scores).max() <= 1e-12 * np.abs(scores).max()
    assert_close((scores.T * chance) @ scores, expected, 1e-12)


@pytest.mark.parametrize("d", [*DIMENSIONS, 13, 20])
@pytest.mark.parametrize("condition", [10.0, 1e6])
def test_the_inverse_of_the_information_is_its_inverse(d: int, condition: float) -> None:
    Sigma = draw(1, d, 10 + d, condition)["Sigma"]
    information_mu, information = fisher_information(Sigma)
    inverse_mu, inverse = fisher_information_inverse(Sigma)
    for table, its_inverse in ((information_mu, inverse_mu), (information, inverse)):
        assert its_inverse.shape == table.shape
        assert np.array_equal(its_inverse, its_inverse.T)
        # Each row of one against a column of the other, in units of what is summed.
        sizes = np.abs(table) @ np.abs(its_inverse)
        assert (np.abs(table @ its_inverse - np.eye(len(table))) <= rounding(condition) * sizes.max()).all()
    if condition == 10:
        assert_close(inverse_mu, np.linalg.inv(information_mu), rounding(1e3))
        assert_close(inverse, np.linalg.inv(information), rounding(1e3))


@pytest.mark.parametrize("d", DIMENSIONS)
def test_the_inverse_of_the_information_is_the_covariance_of_a_sample_covariance(d: int) -> None:
    """S_ik S_jl + S_il S_jk, the n-fold covariance of the entries (i, j) and (k, l) of an estimate."""
    Sigma = draw(1, d, 10 + d)["Sigma"]
    i, j = (vech(index) for index in np.indices((d, d)))
    i, j = np.asarray(i, dtype=int)[:, None], np.asarray(j, dtype=int)[:, None]
    expected = Sigma[i, i.T] * Sigma[j, j.T] + Sigma[i, j.T] * Sigma[j, i.T]
    assert_close(fisher_information_inverse(Sigma)[1], expected, rounding())
    assert_close(np.linalg.inv(fisher_information(Sigma)[1]), expected, rounding(1e3))


def test_estimates_vary_as_the_inverse_of_the_information_says() -> None:
    """Of 20000 samples of 50 rows, the covariance of the estimates is within four percent of the bound."""
    rng = np.random.default_rng(0)
    n, count, Sigma = 50, 20_000, np.array([[2.0, 0.6], [0.6, 1.0]])
    samples = rng.standard_normal((count, n, 2)) @ np.linalg.cholesky(Sigma).T
    samples -= samples.mean(axis=1, keepdims=True)
    estimates = vech(np.einsum("sai,saj->sij", samples, samples) / (n - 1))
    bound = fisher_information_inverse(Sigma)[1]
    assert np.abs((n - 1) * np.cov(estimates.T) - bound).max() <= 0.04 * bound.max()


@given(d=sizes, seed=seeds, exponent=st.integers(0, 6))
def test_products_need_no_matrix(d: int, seed: int, exponent: int) -> None:
    condition = 10.0**exponent
    _, _, Sigma, dmu, dSigma = draw(1, d, seed, condition).values()
    information_mu, information = fisher_information(Sigma)
    in_mu, in_Sigma = fisher_information_product(Sigma, dmu, dSigma)
    assert np.array_equal(in_Sigma, in_Sigma.T)
    assert_close(in_mu, information_mu @ dmu, rounding(condition))
    size = np.abs(information).max() * np.abs(dSigma).sum() * 4
    free = vech(convert_gradient((in_Sigma + in_Sigma.T) / 2, "frobenius", "free"))
    assert np.abs(free - information @ vech(dSigma)).max() <= rounding(condition) * size


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(d=sizes, seed=seeds, exponent=st.integers(0, 6))
def test_the_natural_gradient_undoes_the_product(convention: str, d: int, seed: int, exponent: int) -> None:
    condition = 10.0**exponent
    _, _, Sigma, dmu, dSigma = draw(1, d, seed, condition).values()
    in_mu, in_Sigma = fisher_information_product(Sigma, dmu, dSigma)
    back_mu, back = natural_gradient(
        Sigma, in_mu, convert_gradient(in_Sigma, "entrywise", convention), convention=convention
    )
    assert np.array_equal(back, back.T)
    kappa = condition * d
    assert np.abs(back_mu - dmu).max() <= rounding(kappa) * np.abs(dmu).max() * d
    assert np.abs(back - dSigma).max() <= rounding(kappa**2) * np.abs(dSigma).max() * d


def test_of_an_entrywise_table_the_natural_gradient_takes_the_symmetric_part() -> None:
    rng = np.random.default_rng(5)
    Sigma, g, G = spaces.positive_definite.draw(rng, 3), rng.standard_normal(3), rng.standard_normal((3, 3))
    dmu, dSigma = natural_gradient(Sigma, g, G)
    assert_close(dmu, Sigma @ g, rounding())
    assert_close(dSigma, Sigma @ (G + G.T) @ Sigma, rounding())
    for convention in ("frobenius", "free"):
        with pytest.raises(ValueError, match=r"^gradient_Sigma must be symmetric"):
            natural_gradient(Sigma, g, G, convention=convention)
        # A table that was computed is symmetric but for rounding, of eps times a condition number.
        A = G + G.T
        A[0, 1] += 1e-9 * np.abs(A).max()
        natural_gradient(Sigma, g, A, convention=convention)
        A[0, 1] += 1e-7 * np.abs(A).max()
        with pytest.raises(ValueError, match=r"^gradient_Sigma must be symmetric"):
            natural_gradient(Sigma, g, A, convention=convention)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(n=st.integers(1, 9), d=sizes, seed=seeds)
def test_one_step_along_the_natural_gradient_is_the_estimate(
    convention: str, n: int, d: int, seed: int
) -> None:
    X, mu, Sigma, _, _ = draw(n, d, seed).values()
    gradient = loglik_gradient(X, mu, Sigma, convention=convention)
    dmu, dSigma = natural_gradient(Sigma, *gradient, convention=convention)
    statistics = NormalStatistics.from_data(X)
    size = 1 + np.abs(X - mu).max() ** 2
    assert np.abs(mu + dmu / n - statistics.mean).max() <= rounding(100) * size
    assert np.abs(Sigma + dSigma / n - statistics.about(mu)[1] / n).max() <= rounding(100) * size


def test_one_dimension_is_the_school_formula() -> None:
    information_mu, information = fisher_information([[4.0]])
    assert_close(information_mu, [[1 / 4]], rounding())
    assert_close(information, [[1 / 32]], rounding())


@given(d=sizes, seed=seeds)
def test_in_two_directions_it_is_half_the_trace(d: int, seed: int) -> None:
    Sigma, E, F = TABLE["information_Sigma"].draw(np.random.default_rng(seed), d).values()
    found = vech(E) @ fisher_information(Sigma)[1] @ vech(F)
    size = np.abs(E).sum() * np.abs(F).sum() * np.abs(np.linalg.inv(Sigma)).max() ** 2
    assert abs(found - TABLE["information_Sigma"].rhs(Sigma, E, F)) <= rounding(10) * size


@given(d=sizes, seed=seeds)
def test_an_affine_map_of_the_data_carries_the_information_along(d: int, seed: int) -> None:
    Sigma = draw(1, d, seed)["Sigma"]
    A = spaces.invertible.draw(np.random.default_rng(seed), d)
    moved = A @ Sigma @ A.T
    T = elimination_matrix(d) @ np.kron(A, A) @ duplication_matrix(d)  # vech(A S A^T) = T vech(S)
    after = fisher_information((moved + moved.T) / 2)[1]
    assert_close(T.T @ after @ T, fisher_information(Sigma)[1], rounding(1e5))


@pytest.mark.parametrize("function", [fisher_information, fisher_information_inverse])
def test_neither_the_kronecker_product_nor_the_duplication_matrix_is_formed(
    function: Callable[[Any], Any],
) -> None:
    Sigma = draw(1, 40, 0)["Sigma"]
    size = function(Sigma)[1].nbytes  # either would be three to four times as large
    tracemalloc.start()
    function(Sigma)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * size


def test_a_slight_asymmetry_of_the_covariance_leaves_the_inverse_symmetric() -> None:
    Sigma = np.array([[2.0, 0.5], [0.5 + 1e-13, 1.0]])
    for part in (*fisher_information(Sigma), *fisher_information_inverse(Sigma)):
        assert np.array_equal(part, part.T)


# ---- The Laplace approximation


def normal(d: int, seed: int, condition: float = 10.0) -> tuple[Callable[..., Any], ...]:
    rng = np.random.default_rng(seed)
    Sigma, mean = spaces.positive_definite.draw(rng, d, condition), 3 * rng.standard_normal(d)
    P = np.linalg.inv(Sigma)
    P = (P + P.T) / 2
    return (
        lambda t: -(t - mean) @ P @ (t - mean) / 2 + 2.0,
        lambda t: -P @ (t - mean),
        lambda t: -P,
        mean,  # type: ignore[return-value]
        Sigma,  # type: ignore[return-value]
    )


@pytest.mark.parametrize("given_", ["f", "f, g", "f, H", "f, g, H"])
@pytest.mark.parametrize("d", DIMENSIONS)
def test_a_normal_density_is_approximated_exactly(d: int, given_: str) -> None:
    f, g, H, mean, Sigma = normal(d, d)
    found = laplace(f, np.zeros(d), g if "g" in given_ else None, H if "H" in given_ else None)
    assert isinstance(found, Laplace)
    assert_close(found.mode, mean, 1e-9)
    assert_close(found.covariance, Sigma, 1e-8)
    assert np.array_equal(found.covariance, found.covariance.T)
    assert abs(found.log_normaliser - (2 + np.linalg.slogdet(2 * np.pi * Sigma)[1] / 2)) < 1e-8
    assert type(found.log_normaliser) is float


@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1e-3, 1e3, 1e8, 1e100])
def test_units_cost_no_digits(scale: float) -> None:
    units = scale * np.array([1.0, 1e4, 1e-4])
    found = laplace(lambda t: -np.sum((t / units - [3.0, 0.0, -1.0]) ** 2) / 2, np.zeros(3))
    assert_close(found.mode / units, [3.0, 0.0, -1.0], 1e-9)
    assert_close(found.covariance / np.outer(units, units), np.eye(3), 1e-9)
    assert abs(found.log_normaliser - np.log(2 * np.pi) * 1.5 - np.log(units).sum()) < 1e-8


def test_correlation_costs_few_digits() -> None:
    f, _, _, mean, Sigma = normal(4, 1, condition=1e8)
    found = laplace(f, np.zeros(4))
    in_its_units = np.linalg.solve(Sigma, found.covariance)
    assert np.abs(np.linalg.eigvals(in_its_units) - 1).max() < 1e-4
    assert abs(found.log_normaliser - (2 + np.linalg.slogdet(2 * np.pi * Sigma)[1] / 2)) < 1e-6
    assert (found.mode - mean) @ np.linalg.solve(Sigma, found.mode - mean) < 1e-12


@pytest.mark.parametrize("start", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("a", [2.0, 10.0, 1e3, 1e5])
def test_of_the_gamma_integral_it_is_the_formula_of_stirling(a: float, start: float) -> None:
    """Of theta^a e^-theta: mode a, variance a, and log a! is larger by 1/(12 a) - 1/(360 a^3) + ..."""
    for derivatives in ({}, {"gradient": lambda t: a / t - 1, "hessian": lambda t: np.diag(-a / t**2)}):
        found = laplace(lambda t: a * np.log(t[0]) - t[0], [start], **derivatives)
        assert_close(found.mode, [a], 1e-7)
        assert_close(found.covariance, [[a]], 1e-6)
        missing = gammaln(a + 1) - found.log_normaliser
        assert (
            abs(missing - 1 / (12 * a) + 1 / (360 * a**3))
            < 1 / (1200 * a**5) + 1e-13 * (a * np.log(a)) + 1e-9
        )


def test_the_error_of_the_beta_normaliser_falls_like_one_over_n() -> None:
    for n in (10, 100, 1000):
        a, b = 0.3 * n, 0.7 * n
        found = laplace(lambda t, a=a, b=b: a * np.log(t[0]) + b * np.log1p(-t[0]), [0.5])
        assert_close(found.mode, [0.3], 1e-7)
        assert_close(found.covariance, [[0.3 * 0.7 / n]], 1e-6)
        missing = betaln(a + 1, b + 1) - found.log_normaliser
        assert abs(missing * n - (1 / (12 * 0.3) + 1 / (12 * 0.7) - 13 / 12)) < 2 / n + 1e-6 * n


def test_a_posterior_of_many_data_is_that_of_its_hessian() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 3)) * [1.0, 10.0, 0.1]
    count = rng.poisson(np.exp(0.5 + x @ [0.5, -0.03, 2.0]))
    X = np.column_stack([np.ones(len(x)), x])

    def f(t: Any) -> Any:
        return count @ (X @ t) - np.exp(X @ t).sum() - t @ t / 200

    def g(t: Any) -> Any:
        return X.T @ (count - np.exp(X @ t)) - t / 100

    found, exact = laplace(f, np.zeros(4)), laplace(f, np.zeros(4), g)
    H = (X.T * np.exp(X @ exact.mode)) @ X + np.eye(4) / 100
    assert np.abs(g(exact.mode)).max() < 1e-8 * len(x)
    assert_close(exact.covariance, np.linalg.inv(H), 1e-7)
    assert_close(found.covariance, np.linalg.inv(H), 1e-6)
    deviation = np.sqrt(np.linalg.inv(H).diagonal())
    assert np.abs((found.mode - exact.mode) / deviation).max() < 1e-6


def test_the_mean_and_log_variance_of_normal_data() -> None:
    """The posterior of (mu, log variance) has its mode at the estimate, under a flat prior."""
    x = np.random.default_rng(1).normal(5.0, 2.0, size=50)
    found = laplace(lambda t: loglik(x[:, None], t[:1], np.exp(t[1:, None])), [0.0, 0.0])
    variance = x.var()
    assert_close(found.mode, [x.mean(), np.log(variance)], 1e-8)
    assert_close(found.covariance, np.diag([variance / 50, 2 / 50]), 1e-7)


def test_a_covariance_may_leave_its_cone_on_the_way() -> None:
    """logpdf raises there, and the search turns back."""
    X = draw(30, 2, 11)["X"]
    found = laplace(lambda t: loglik(X, t[:2], unvech(t[2:])), [0.0, 0.0, 20.0, 0.0, 20.0])
    mu, Sigma = fit_normal(X)
    assert_close(found.mode, np.concatenate([mu, vech(Sigma)]), 1e-6)
    assert_close(found.covariance[2:, 2:], np.linalg.inv(30 * fisher_information(Sigma)[1]), 1e-5)


def test_the_tails_of_cauchy_lead_to_its_mode() -> None:
    for start in (-50.0, 2.0, 1e6):
        found = laplace(lambda t: -np.log1p((t[0] - 2) ** 2), [start])
        assert_close(found.mode, [2.0], 1e-8)
        assert_close(found.covariance, [[0.5]], 1e-7)


def test_a_curved_valley_is_followed() -> None:
    found = laplace(lambda t: -((1 - t[0]) ** 2) - 100 * (t[1] - t[0] ** 2) ** 2, [-1.2, 1.0])
    assert_close(found.mode, [1.0, 1.0], 1e-8)
    assert_close(np.linalg.inv(found.covariance), [[802.0, -400.0], [-400.0, 200.0]], 1e-6)


def test_of_two_modes_it_finds_the_one_uphill() -> None:
    def f(t: Any) -> Any:
        return np.logaddexp(-((t[0] - 3) ** 2) / 2, -((t[0] + 3) ** 2) / 2)

    assert_close(laplace(f, [0.1]).mode, -laplace(f, [-0.1]).mode, 1e-8)


def test_single_precision_is_noticed() -> None:
    def f(t: Any) -> Any:
        return -(np.float32(t[0]) ** 2) / np.float32(2) - np.float32(700)

    found = laplace(f, [1.5])
    assert abs(found.mode[0]) < 1e-2
    assert_close(found.covariance, [[1.0]], 1e-2)


def test_what_the_functions_do_to_their_argument_harms_nobody() -> None:
    f, g, H, mean, _ = normal(2, 3)
    start = np.zeros(2)

    def spoil(function: Callable[..., Any]) -> Callable[..., Any]:
        def spoilt(t: Any) -> Any:
            value = function(t)
            t[:] = np.nan
            return value

        return spoilt

    assert_close(laplace(spoil(f), start, spoil(g), spoil(H)).mode, mean, 1e-9)
    assert np.array_equal(start, np.zeros(2))


# ---- Where there is nothing to approximate

NOTHING: dict[str, tuple[Callable[[Any], Any], list[float], str]] = {
    "a flat top": (lambda t: -(t[0] ** 4), [0.7], "falls .* times as far"),
    "a flat top, started on it": (lambda t: -(t[0] ** 4), [0.0], "not strictly concave|times as far"),
    "a flat top with a constant": (lambda t: 5 - t[0] ** 4, [0.7], "falls .* times as far"),
    "a flat top of order three": (lambda t: -(abs(t[0]) ** 3), [0.7], "falls .* times as far"),
    "a flat top of order six": (lambda t: -(t[0] ** 6), [0.7], "not strictly concave|times as far"),
    "flat in a slanting direction": (
        lambda t: -((t[0] + t[1]) ** 4) - (t[0] - t[1]) ** 2,
        [0.7, 0.2],
        "not strictly concave|times as far",
    ),
    "a kink": (lambda t: -abs(t[0]), [0.7], "falls .* times as far"),
    "a kink, started on it": (lambda t: -abs(t[0]), [0.0], "falls .* times as far"),
    "a cusp": (lambda t: -(abs(t[0]) ** 1.5), [0.7], "falls .* times as far"),
    "constant": (lambda t: 0.0, [0.7], "all but flat, or rises without end"),
    "all but constant": (lambda t: np.cos(t[0]) / 1000, [2.0], "all but flat, or rises without end"),
    "a ridge": (lambda t: -((t[0] + t[1]) ** 2), [0.7, 0.1], "not strictly concave"),
    "a saddle": (lambda t: t[1] ** 2 - t[0] ** 2, [0.0, 0.0], "eigenvalue -2"),
    "between two modes": (
        lambda t: np.logaddexp(-((t[0] - 3) ** 2) / 2, -((t[0] + 3) ** 2) / 2),
        [0.0],
        "not strictly concave: minus its Hessian has the eigenvalue -8",
    ),
    "greatest at an edge": (lambda t: t[0] ** 2 if 0 <= t[0] <= 1 else -np.inf, [0.5], "edge"),
    "greatest at an edge, concave": (
        lambda t: -((t[0] - 2) ** 2) if 0 <= t[0] <= 1 else np.nan,
        [0.5],
        "edge|not strictly concave",
    ),
    "exponential": (lambda t: -t[0] if t[0] > 0 else -np.inf, [1.0], "edge"),
    "rising for ever": (lambda t: t[0], [0.7], "edge|still rises|infinite|without end"),
    "a pole": (lambda t: -np.log(abs(t[0])), [0.7], "infinite|edge|still rises|not strictly concave"),
    "growing without bound": (lambda t: np.exp(t[0]), [0.1], "without end"),
    "infinite on the way": (lambda t: np.inf if t[0] > 1 else -((t[0] - 4) ** 2), [0.1], "it is infinite"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_density_without_a_normal_approximation_is_refused(case: str) -> None:
    f, start, reason = NOTHING[case]
    with pytest.raises(np.linalg.LinAlgError, match=rf"no interior mode .*({reason})"):
        laplace(f, start)


@pytest.mark.parametrize("far", [1e4, 1e8, 1e10])
@pytest.mark.parametrize("d", [1, 2])
def test_a_start_many_standard_deviations_away_leads_to_the_mode(d: int, far: float) -> None:
    """There the values of the log density are so large that rounding hides a bend by one."""
    S = draw(1, d, d)["Sigma"]
    P, mu = np.linalg.inv(S), np.arange(1.0, d + 1)
    found = laplace(lambda t: -0.5 * (t - mu) @ P @ (t - mu), mu + far * np.linspace(1, 2, d))
    assert_close(found.mode, mu, 1e-8)
    assert_close(found.covariance, S, 1e-8)


def test_a_gradient_that_raises_beyond_an_edge_says_no_more_than_that_there_is_one() -> None:
    def g(t: Any) -> Any:
        if t[0] < -1e-3:
            raise ValueError("outside")
        return -t

    with pytest.raises(np.linalg.LinAlgError, match="beside it the density is zero or not defined"):
        laplace(lambda t: -t @ t / 2 if t[0] >= -1e-3 else -np.inf, [0.5, 0.5], g)


def test_a_log_density_may_return_a_number_of_another_library() -> None:
    class Number:
        dtype = "of another library"

        def __init__(self, value: float) -> None:
            self.value = value

        def __float__(self) -> float:
            return self.value

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array(self.value, dtype=dtype)

    found = laplace(lambda t: Number(-2 * float(t[0] - 1) ** 2), [0.0])  # type: ignore[arg-type,return-value]
    assert_close(found.mode, np.ones(1), 1e-6)
    assert_close(found.covariance, np.full((1, 1), 0.25), 1e-6)


def test_a_flat_top_is_refused_whatever_derivatives_are_given() -> None:
    def f(t: Any) -> Any:
        return -np.sum(t**4)

    def g(t: Any) -> Any:
        return -4 * t**3

    def H(t: Any) -> Any:
        return np.diag(-12 * t**2)

    for derivatives in ((g, None), (g, H), (None, H)):
        for start in ([0.7, 0.2], [0.0, 0.0]):
            with pytest.raises(np.linalg.LinAlgError, match="no interior mode"):
                laplace(f, start, *derivatives)


def test_a_little_curvature_under_a_quartic_is_enough() -> None:
    found = laplace(lambda t: -(t[0] ** 4) - 0.05 * t[0] ** 2, [0.7])
    assert_close(found.covariance, [[10.0]], 1e-5)


def test_a_wrong_hessian_or_gradient_is_noticed() -> None:
    f, g, H, _, _ = normal(2, 4)
    with pytest.raises(np.linalg.LinAlgError, match="wrong gradient or hessian"):
        laplace(f, np.zeros(2), g, lambda t: 3 * H(t))
    for wrong in ((lambda t: -g(t), H), (g, lambda t: -H(t))):
        with pytest.raises(np.linalg.LinAlgError, match="no interior mode"):
            laplace(f, np.zeros(2), *wrong)


CORRELATED = np.array([[1.0, 0.3], [0.3, 1.0]])
TURN = np.array([[0.0, 0.2], [-0.2, 0.0]])
#: Derivatives of -t P t / 2 that are right in some directions only, and which of them the error names.
WRONG_IN_A_MIXTURE: dict[str, tuple[Any, Any, str]] = {
    "a hessian without its correlation": (None, lambda t: -np.eye(2), "hessian"),
    "the same beside the right gradient": (lambda t: -CORRELATED @ t, lambda t: -np.eye(2), "hessian"),
    "a hessian of a wrong correlation": (None, lambda t: -CORRELATED - 0.02 * np.eye(2)[::-1], "hessian"),
    "a hessian that is right along the sum": (
        None,
        lambda t: -CORRELATED - 0.02 * np.array([[1.0, -1.0], [-1.0, 1.0]]),
        "hessian",
    ),
    "a shifted gradient": (lambda t: 0.1 - CORRELATED @ t, None, "gradient"),
    "the same beside the right hessian": (lambda t: 0.1 - CORRELATED @ t, lambda t: -CORRELATED, "gradient"),
    "a gradient too long by a tenth": (lambda t: -1.1 * CORRELATED @ t, None, "gradient"),
    "a gradient of no function": (lambda t: -(CORRELATED + TURN) @ t, None, "gradient"),
    "the same beside the right hessian, too": (
        lambda t: -(CORRELATED + TURN) @ t,
        lambda t: -CORRELATED,
        "hessian",  # is at odds with the gradient
    ),
}


@pytest.mark.parametrize("case", WRONG_IN_A_MIXTURE)
def test_a_gradient_or_hessian_that_is_wrong_in_mixed_directions_is_refused_by_name(case: str) -> None:
    gradient, hessian_, name = WRONG_IN_A_MIXTURE[case]
    with pytest.raises(ValueError, match=f"^{name} is not that of log_density: at "):
        laplace(lambda t: -t @ CORRELATED @ t / 2, [0.3, 0.2], gradient, hessian_)


def test_right_derivatives_are_taken_where_the_density_is_skew() -> None:
    """Away from the mode neither gradient nor Hessian is what it is there: the comparison must allow for it."""
    for a in (0.5, 2.0, 30.0):
        f, mode = (lambda t, a=a: a * t.sum() - np.exp(t).sum()), np.log([a, a])
        given_ = (lambda t, a=a: a - np.exp(t)), (lambda t: -np.diag(np.exp(t)))
        for derivatives in (given_, (given_[0], None), (None, given_[1])):
            found = laplace(f, [0.0, 1.0], *derivatives)
            assert_close(found.covariance, np.eye(2) / a, 1e-7)
            assert np.abs(found.mode - mode).max() < 1e-7


@pytest.mark.parametrize("far", [1e9, -1e12, 2.0**41])
def test_far_from_the_origin_the_steps_of_differences_are_exact(far: float) -> None:
    """At 1e12 a hundredth is rounded by a hundredth of itself."""
    found = laplace(lambda t: -((t[0] - far) ** 2) / 2, [far + 1])
    assert_close(found.mode, [far], 1e-15)
    assert_close(found.covariance, [[1.0]], 1e-9)
    found = laplace(lambda t: -(t - far) @ CORRELATED @ (t - far) / 2, [far + 1, far])
    assert_close(found.covariance, np.linalg.inv(CORRELATED), 1e-9)
    assert_close(found.mode, [far, far], 1e-15)


@pytest.mark.parametrize("rho", [-0.8, 0.8])
@pytest.mark.parametrize("far", [2.0**30, -(2.0**40)])
def test_steps_are_exact_also_where_the_spacing_of_floats_changes(far: float, rho: float) -> None:
    """Beyond a power of two floats are twice as far apart as before it; moves go to both sides of it."""
    Sigma = np.array([[1.0, rho], [rho, 1.0]])
    P = np.linalg.inv(Sigma)
    for mean in ([far, far], [np.nextafter(far, 0), far]):
        found = laplace(lambda t, mean=mean: -(t - mean) @ P @ (t - mean) / 2, [far + 1, far])
        assert_close(found.covariance, Sigma, 1e-9)


def test_right_derivatives_are_not_refused_far_from_the_origin() -> None:
    """Nor is a covariance wrong; the mode that is found may be a float before or after a power of two."""
    far = 2.0**41
    for seed in range(60):
        A = np.random.default_rng(seed).standard_normal((3, 3))
        Sigma = A @ A.T + np.eye(3)
        P = np.linalg.inv(Sigma)
        f = lambda t, P=P: -(t - far) @ P @ (t - far) / 2  # noqa: E731
        for derivatives in ((), (lambda t, P=P: -P @ (t - far),)):
            found = laplace(f, np.full(3, far + 0.3), *derivatives)
            assert_close(found.covariance, Sigma, 1e-9)


def test_from_the_origin_to_a_mode_far_away_no_digit_of_the_covariance_is_lost() -> None:
    assert_close(laplace(lambda t: -((t[0] - 1e12) ** 2) / 2, [0.0]).covariance, [[1.0]], 1e-9)


def test_what_is_too_sharp_for_the_floats_about_it_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="too sharp for floating point"):
        laplace(lambda t: -(((t[0] - 1e15) / 1e-1) ** 2) / 2, [1e15])


# ---- Bad input, and input in disguise

WHOLE = {
    "X": np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]]),
    "mu": np.array([1.0, 2.0]),
    "Sigma": np.array([[5.0, 2.0], [2.0, 3.0]]),
    "dmu": np.array([1.0, -1.0]),
    "dSigma": np.array([[1.0, 2.0], [2.0, -1.0]]),
}


@pytest.mark.parametrize("case", NOT_A_COVARIANCE)
def test_a_bad_covariance_is_refused_by_name(case: str) -> None:
    value, error = NOT_A_COVARIANCE[case]
    with pytest.raises(error, match=r"^Sigma\b"):
        hessian(WHOLE | {"Sigma": value})
    for call in (
        lambda S: loglik_hessian_operator(WHOLE["X"], WHOLE["mu"], S),
        fisher_information,
        fisher_information_inverse,
        lambda S: fisher_information_product(S, WHOLE["dmu"], WHOLE["dSigma"]),
        lambda S: natural_gradient(S, WHOLE["dmu"], WHOLE["dSigma"]),
    ):
        with pytest.raises(error, match=r"^Sigma\b"):
            call(value)


@pytest.mark.parametrize("case", NOT_REAL | NOT_SQUARE)
def test_a_bad_direction_or_gradient_is_refused_by_name_of_the_products_too(case: str) -> None:
    value, error = (NOT_REAL | NOT_SQUARE)[case]
    S, e, E = WHOLE["Sigma"], WHOLE["dmu"], WHOLE["dSigma"]
    with pytest.raises(error, match=r"^dSigma\b"):
        fisher_information_product(S, e, value)
    with pytest.raises(error, match=r"^gradient_Sigma\b"):
        natural_gradient(S, e, value)
    row = np.ravel(value) if case == "NaN" else [1.0] if case == "a vector" else value
    with pytest.raises(error, match=r"^dmu\b"):
        fisher_information_product(S, row, E)
    with pytest.raises(error, match=r"^gradient_mu\b"):
        natural_gradient(S, row, E)
    with pytest.raises(ValueError, match="convention must be one of 'entrywise', 'frobenius', 'free'"):
        natural_gradient(S, e, E, convention="paired")


@pytest.mark.parametrize("case", NOT_REAL | NOT_SQUARE | NOT_SYMMETRIC)
def test_a_bad_direction_in_the_covariance_is_refused_by_name(case: str) -> None:
    value, error = (NOT_REAL | NOT_SQUARE | NOT_SYMMETRIC)[case]
    with pytest.raises(error, match=r"^dSigma\b"):
        hessian(WHOLE | {"dSigma": value})


@pytest.mark.parametrize("case", NOT_REAL)
def test_bad_data_mean_direction_and_start_are_refused_by_name(case: str) -> None:
    value, error = NOT_REAL[case]
    row = np.ravel(value) if case == "NaN" else value
    for name, bad in (("X", value), ("mu", row), ("dmu", row)):
        with pytest.raises(error, match=rf"^{name}\b"):
            hessian(WHOLE | {name: bad})
    with pytest.raises(error, match=r"^start\b"):
        laplace(lambda t: -t @ t, row)
    for no_vector in (0.5, [[0.5, 0.5]]):
        with pytest.raises(ValueError, match=r"^start must be a vector"):
            laplace(lambda t: -np.sum(t**2), no_vector)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", np.zeros(2)),
        ("X", np.zeros((3, 3))),
        ("X", np.zeros((0, 2))),
        ("mu", np.zeros(3)),
        ("mu", 0.0),
        ("dmu", np.zeros(3)),
        ("dmu", np.zeros((1, 2))),
        ("dSigma", np.eye(3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} .*shape"):
        hessian(WHOLE | {name: value})


@pytest.mark.parametrize("argument", WHOLE)
@pytest.mark.parametrize("disguise", disguises(WHOLE["Sigma"]))
def test_input_in_another_dress_gives_the_same_and_is_left_unchanged(argument: str, disguise: str) -> None:
    value = disguises(WHOLE[argument])[disguise]
    for plain, dressed in zip(hessian(WHOLE), hessian(WHOLE | {argument: value}), strict=True):
        assert_close(dressed, plain, rounding())
        assert dressed.dtype == np.float64
    if argument == "Sigma":
        for plain, dressed in zip(fisher_information(WHOLE["Sigma"]), fisher_information(value), strict=True):
            assert_close(dressed, plain, rounding())
    assert np.array_equal(np.asarray(value, dtype=float), WHOLE[argument])


def test_the_results_share_no_memory_with_the_input() -> None:
    point = {name: value.copy() for name, value in WHOLE.items()}
    for part in (*hessian(point), *fisher_information(point["Sigma"])):
        part[...] = np.nan
    assert all(np.array_equal(point[name], WHOLE[name]) for name in WHOLE)


def test_bad_functions_are_refused_by_name() -> None:
    for bad in (None, 1.0, "f"):
        with pytest.raises(TypeError, match=r"^log_density must be a function"):
            laplace(bad, [0.0])  # type: ignore[arg-type]
    f, g, _, _, _ = normal(2, 0)
    for name in ("gradient", "hessian"):
        with pytest.raises(TypeError, match=f"^{name} must be a function"):
            laplace(f, np.zeros(2), **{name: np.eye(2)})
    for value, error in (
        (np.nan, ValueError),
        (-np.inf, ValueError),
        ([1.0], ValueError),
        ("0", TypeError),
        (1j, TypeError),
    ):
        with pytest.raises(error, match=r"^log_density\(start\)"):
            laplace(lambda t, value=value: value, np.zeros(2))
    for wrong in (lambda t: np.zeros(3), lambda t: 0.0, lambda t: np.zeros((2, 1)), lambda t: t * np.nan):
        with pytest.raises(ValueError, match=r"^gradient\(theta\)"):
            laplace(f, np.zeros(2), wrong)
    for wrong in (lambda t: np.eye(3), lambda t: np.zeros(2), lambda t: np.array([[1.0, 2.0], [0.0, 1.0]])):
        with pytest.raises(ValueError, match=r"^hessian\(theta\)"):
            laplace(f, np.zeros(2), g, wrong)


def test_an_error_of_the_function_at_the_start_is_the_readers_to_see() -> None:
    with pytest.raises(ZeroDivisionError):
        laplace(lambda t: 1 / 0, [0.0])
    with pytest.raises(KeyError):
        laplace(lambda t: {}["missing"] if t[0] else 0.0, [0.0])


def test_a_hessian_by_differences_need_not_be_symmetric_to_the_last_digit() -> None:
    f, g, H, _, Sigma = normal(2, 5)
    found = laplace(f, np.zeros(2), g, lambda t: H(t) + np.array([[0.0, 1e-9], [0.0, 0.0]]))
    assert_close(found.covariance, Sigma, 1e-7)


def test_fifty_digits_of_the_gradient_agree_with_the_table_they_are_used_for() -> None:
    """The oracle used above for the Hessian is of the same make as the one for gradients; here they meet."""
    X, mu, Sigma, dmu, dSigma = draw(3, 2, 12).values()
    h = 1e-4
    sides = [loglik_and_gradients(X, mu + s * h * dmu, Sigma + s * h * dSigma) for s in (1, -1)]
    change = [(a - b) / (2 * h) for a, b in zip(sides[0][1:], sides[1][1:], strict=True)]
    found = loglik_hessian(X, mu, Sigma, dmu, dSigma)
    assert_close(found[0], change[0], 1e-5)
    assert_close(found[1], (change[1] + change[1].T) / 2, 1e-5)


def test_logpdf_at_the_mode_of_an_approximation_is_minus_its_log_volume() -> None:
    f, _, _, _, _ = normal(3, 6)
    found = laplace(f, np.zeros(3))
    peak = logpdf(found.mode[None], found.mode, found.covariance)[0]
    assert abs(f(found.mode) - found.log_normaliser - peak) < 1e-9


@pytest.mark.parametrize("log", [np.log, np.emath.log, np.ma.log, math.log])
def test_outside_of_its_domain_a_log_density_may_be_whatever_a_logarithm_is_there(log: Any) -> None:
    """NaN, complex, masked or an error: each is a density of zero."""
    found = laplace(lambda t: 10 * log(t[0]) - t[0], [500.0])
    assert abs(found.mode[0] - 10) <= 1e-6


@pytest.mark.parametrize("value", [None, "1", [1.0], np.ones(1)])
def test_what_is_no_number_away_from_the_start_is_named(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^log_density must be a number, but at \["):
        laplace(lambda t: -1.0 if t[0] == 1 else value, [1.0])


def test_a_covariance_that_is_no_float_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^log_density is so flat about its mode"):
        laplace(lambda t: -float((1e-160 * t[0]) ** 2), [1.0])
