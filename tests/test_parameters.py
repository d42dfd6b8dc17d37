"""Factor, precision, Cholesky and log-Cholesky: against JAX, fifty digits, closed forms and their own laws."""

from __future__ import annotations

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
from tolerances import assert_close, rounding

from mvnlib import (
    cholesky_differential,
    cholesky_pullback,
    fit_normal,
    from_log_cholesky,
    log_cholesky,
    loglik,
    loglik_and_gradient_factor,
    loglik_and_gradient_precision,
    loglik_gradient,
    loglik_gradient_factor,
    loglik_gradient_precision,
    spaces,
    vech,
)
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.differences import fd_differential, fd_gradient
from mvnlib.identities import TABLE

sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)
exponents = st.integers(0, 5)


def rows(n: int, mu: np.ndarray, L: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return mu + rng.standard_normal((n, len(mu))) @ L.T


def draw(n: int, d: int, seed: int, condition: float = 10.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data, a mean, and a factor that is not triangular."""
    rng = np.random.default_rng(seed)
    L, mu = spaces.invertible.draw(rng, d, condition), rng.standard_normal(d)
    return rows(n, mu + 0.3, 1.2 * L, rng), mu, L


def draw_lower(d: int, seed: int, condition: float = 10.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A Cholesky factor, a symmetric direction of the size of S, and a direction for the factor."""
    rng = np.random.default_rng(seed)
    L = spaces.lower.draw(rng, d, condition)
    return L, L @ spaces.symmetric.direction(rng, d) @ L.T, rng.standard_normal((d, d))


def rotation(d: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d))).Q


# The factor


@pytest.mark.parametrize("d", range(1, 7))
def test_gradient_in_the_factor_is_that_of_jax(d: int) -> None:
    X, mu, L = draw(7, d, d)

    def value(mu: Any, L: Any) -> Any:
        z = jnp.linalg.solve(L, (X - mu).T)
        return -(7 * d * jnp.log(2 * jnp.pi) + 14 * autodiff.log_determinant(L) + (z**2).sum()) / 2

    in_mu, in_L = jax.grad(value, (0, 1))(jnp.asarray(mu), jnp.asarray(L))
    found_mu, found_L = loglik_gradient_factor(X, mu, L)
    assert_close(found_mu, in_mu, rounding(100))
    assert_close(found_L, in_L, rounding(100))


def factor_gradient_in_fifty_digits(X: np.ndarray, mu: np.ndarray, L: np.ndarray) -> Any:
    with mpmath.workdps(50):
        factor = mpmath.matrix(L.tolist())
        S = factor * factor.T
        P, d = mpmath.inverse(S), S.rows
        in_mu, in_L = mpmath.zeros(d, 1), -len(X) * P * factor
        for x in X:
            y = mpmath.matrix(
                [mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(x, mu, strict=True)]
            )
            in_mu += P * y
            in_L += P * y * (y.T * (P * factor))
        return np.array([float(v) for v in in_mu]), np.array(
            [[float(in_L[i, j]) for j in range(d)] for i in range(d)]
        )


@pytest.mark.parametrize(
    ("n", "d", "condition", "far"),
    [(1, 1, 1, 0), (1, 4, 10, 0), (5, 3, 1e4, 0), (5, 2, 1e5, 0), (6, 3, 10, 1e8), (3, 6, 1e3, 0)],
)
def test_gradient_in_the_factor_is_right_in_fifty_digits(
    n: int, d: int, condition: float, far: float
) -> None:
    X, mu, L = draw(n, d, 11, condition)
    X, mu = X + far, mu + far
    for found, expected in zip(
        loglik_gradient_factor(X, mu, L), factor_gradient_in_fifty_digits(X, mu, L), strict=True
    ):
        assert_close(found, expected, rounding(condition**2))  # the condition number of Sigma


@pytest.mark.parametrize("scale", [1e-140, 1.0, 1e140])
def test_minus_a_factor_is_a_factor_of_the_same_covariance(scale: float) -> None:
    X, mu, L = draw(7, 3, 5)
    L = np.abs(L) + 3 * np.eye(3)
    for factor in (L, np.tril(L)):
        value, (in_mu, in_L) = loglik_and_gradient_factor(X * scale, mu * scale, factor * scale)
        minus_value, (minus_in_mu, minus_in_L) = loglik_and_gradient_factor(
            X * scale, mu * scale, -factor * scale
        )
        assert value == minus_value
        assert np.array_equal(in_mu, minus_in_mu)
        assert np.array_equal(in_L, -minus_in_L)


@given(n=st.integers(1, 20), d=sizes, seed=seeds)
def test_the_factor_gradient_is_twice_the_covariance_gradient_times_the_factor(
    n: int, d: int, seed: int
) -> None:
    X, mu, L = draw(n, d, seed)
    in_mu, in_L = loglik_gradient_factor(X, mu, L)
    through_mu, G = loglik_gradient(X, mu, L @ L.T)
    size = n * np.abs(np.linalg.inv(L)).max() * 10 + np.abs(G).max() * np.abs(L).max()
    assert np.abs(in_mu - through_mu).max() <= rounding(100) * size
    assert np.abs(in_L - 2 * G @ L).max() <= rounding(100) * size


@given(d=sizes, seed=seeds)
def test_one_row_is_minus_half_the_two_entries_of_the_table(d: int, seed: int) -> None:
    """J = C + (J1 + J2) / 2 is minus the log-likelihood."""
    X, mu, L = draw(1, d, seed)
    T = np.outer(X[0] - mu, X[0] - mu)
    J1, J2 = TABLE["logdet_gram"].grad(L), TABLE["quadratic_gram"].grad(L, T)
    found = loglik_gradient_factor(X, mu, L)[1]
    assert np.abs(found + (J1 + J2) / 2).max() <= rounding(100) * max(np.abs(J1).max(), np.abs(J2).max())


@given(n=st.integers(1, 9), d=sizes, seed=seeds)
def test_a_rotated_factor_has_the_rotated_gradient_and_the_same_likelihood(n: int, d: int, seed: int) -> None:
    X, mu, L = draw(n, d, seed)
    Q = rotation(d, seed)
    in_mu, in_L = loglik_gradient_factor(X, mu, L)
    rotated_mu, rotated = loglik_gradient_factor(X, mu, L @ Q)
    assert np.abs(rotated_mu - in_mu).max() <= rounding(100) * max(1.0, np.abs(in_mu).max()) * n
    assert np.abs(rotated - in_L @ Q).max() <= rounding(100) * (n * 10 + np.abs(in_L).max())


@given(n=st.integers(1, 9), d=sizes, seed=seeds)
def test_the_factor_gradient_is_orthogonal_to_every_direction_that_leaves_the_product(
    n: int, d: int, seed: int
) -> None:
    """L A with skew A: the product moves by L (A + A^T) L^T = 0."""
    X, mu, L = draw(n, d, seed)
    _, in_L = loglik_gradient_factor(X, mu, L)
    M = np.random.default_rng(seed).standard_normal((d, d))
    flat = L @ (M - M.T)
    assert abs(np.sum(in_L * flat)) <= rounding(100) * (n * 10 + np.abs(in_L).sum()) * (
        1 + np.abs(flat).max()
    )


@pytest.mark.parametrize("d", range(1, 7))
def test_at_the_estimate_every_factor_is_stationary(d: int) -> None:
    X, _, _ = draw(40, d, d)
    mu, Sigma = fit_normal(X)
    L = np.linalg.cholesky(Sigma)
    for factor in (L, L @ rotation(d, d), -L, np.linalg.eigh(Sigma)[1] * np.sqrt(np.linalg.eigvalsh(Sigma))):
        in_mu, in_L = loglik_gradient_factor(X, mu, factor)
        size = 40 * np.abs(np.linalg.inv(factor)).max()
        assert np.abs(in_mu).max() <= rounding(100) * size * np.abs(np.linalg.inv(factor)).max()
        assert np.abs(in_L).max() <= rounding(100) * size


def test_the_factor_gradient_agrees_with_differences_of_the_log_likelihood() -> None:
    X, mu, L = draw(12, 3, 5)

    def value(L: np.ndarray) -> float:
        S = L @ L.T
        return loglik(X, mu, (S + S.T) / 2)

    in_L = loglik_gradient_factor(X, mu, L)[1]
    assert_close(in_L, fd_gradient(value, L, scheme="richardson", batched=False), 1e-8)


SINGULAR = {
    "the number zero": np.zeros((1, 1)),
    "zero": np.zeros((2, 2)),
    "zero in three dimensions": np.zeros((3, 3)),
    "a zero on the diagonal of a triangle": np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 2.0, 3.0]]),
    "a triangle singular but for rounding": np.array([[1.0, 0.0], [1.0, 1e-16]]),
    "a row of zeros": np.array([[1.0, 2.0], [0.0, 0.0]]),
    "a column of zeros": np.array([[1.0, 0.0], [2.0, 0.0]]),
    "equal rows": np.ones((2, 2)),
    "parallel rows of unlike size": np.array([[1e-8, 2e-8], [3e8, 6e8]]),
}


@pytest.mark.parametrize("case", SINGULAR)
def test_a_singular_factor_is_refused(case: str) -> None:
    with pytest.raises(np.linalg.LinAlgError, match=r"^L must have full rank"):
        loglik_gradient_factor(
            np.zeros((3, len(SINGULAR[case]))), np.zeros(len(SINGULAR[case])), SINGULAR[case]
        )


@given(d=st.integers(2, 6), seed=seeds)
def test_a_factor_singular_but_for_rounding_is_refused_in_any_units(d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    L = rng.standard_normal((d, d - 1)) @ rng.standard_normal((d - 1, d))
    with pytest.raises(np.linalg.LinAlgError, match=r"^L must have full rank"):
        loglik_gradient_factor(np.zeros((3, d)), np.zeros(d), L * 10.0 ** rng.uniform(-5, 5, size=(d, 1)))


def test_how_nearly_singular_a_factor_may_be() -> None:
    """In two dimensions 8 eps is where rank is lost; the singular value is found to within sqrt(2)."""
    zeros = np.zeros((3, 2)), np.zeros(2)
    for small, fits in ((6e-15, True), (1e-15, False)):
        for L in ([[1.0, 0.0], [1.0, small]], [[1.0, small], [1.0, -small]]):
            if fits:
                loglik_gradient_factor(*zeros, L)
            else:
                with pytest.raises(np.linalg.LinAlgError, match=r"singular value is about \d"):
                    loglik_gradient_factor(*zeros, L)


@given(n=st.integers(1, 9), d=st.sampled_from([1, 2, 3, 33, 40]), seed=seeds, triangular=st.booleans())
def test_value_and_gradient_in_the_factor_are_those_of_the_covariance(
    n: int, d: int, seed: int, triangular: bool
) -> None:
    X, mu, L = draw(n, d, seed)
    if triangular:
        L = np.linalg.cholesky(L @ L.T)
    S = L @ L.T
    value, gradient = loglik_and_gradient_factor(X, mu, L)
    assert type(value) is float
    assert abs(value - loglik(X, mu, (S + S.T) / 2)) <= rounding(100) * n * d * 10
    for found, expected in zip(gradient, loglik_gradient_factor(X, mu, L), strict=True):
        assert np.array_equal(found, expected)


def test_the_value_does_not_know_the_sign_of_the_factor() -> None:
    X, mu, L = draw(5, 3, 9)
    Lc = np.linalg.cholesky(L @ L.T)
    value = loglik_and_gradient_factor(X, mu, L)[0]
    for other in (-L, L[:, ::-1], Lc, -Lc, Lc * [1, -1, 1]):
        assert abs(loglik_and_gradient_factor(X, mu, other)[0] - value) <= rounding(100) * 50


@given(n=st.integers(1, 9), d=sizes, seed=seeds)
def test_value_and_gradient_in_the_precision_are_those_of_the_covariance(n: int, d: int, seed: int) -> None:
    X, mu, L = draw(n, d, seed)
    S = (L @ L.T + (L @ L.T).T) / 2
    P = np.linalg.inv(S)
    value, gradient = loglik_and_gradient_precision(X, mu, (P + P.T) / 2, convention="free")
    assert type(value) is float
    assert abs(value - loglik(X, mu, S)) <= rounding(1000) * n * d * 10
    expected = loglik_gradient_precision(X, mu, (P + P.T) / 2, convention="free")
    for part, other in zip(gradient, expected, strict=True):
        assert np.array_equal(part, other)


def test_only_what_is_on_and_below_the_diagonal_makes_a_triangle() -> None:
    """A factor with one entry above the diagonal, however small, is a general one, and its gradient is whole."""
    X, mu, _ = draw(5, 3, 10)
    L = np.linalg.cholesky(np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]]))
    nearly = L.copy()
    nearly[0, 2] = 1e-13
    for found, expected in zip(
        loglik_gradient_factor(X, mu, nearly), loglik_gradient_factor(X, mu, L), strict=True
    ):
        assert_close(found, expected, 1e-11)
    L[0, 2] = 0.5
    value, (_, in_L) = loglik_and_gradient_factor(X, mu, L)
    S = L @ L.T
    assert abs(value - loglik(X, mu, (S + S.T) / 2)) < 1e-11
    assert_close(in_L, 2 * loglik_gradient(X, mu, (S + S.T) / 2)[1] @ L, rounding(1000))


@given(n=st.integers(1, 5), d=sizes, seed=seeds)
def test_units_however_unlike_scale_the_gradients(n: int, d: int, seed: int) -> None:
    X, mu, L = draw(n, d, seed)
    units = 10.0 ** np.random.default_rng(seed).integers(-50, 50, size=d).astype(float)
    in_mu, in_L = loglik_gradient_factor(X, mu, L)
    scaled_mu, scaled_L = loglik_gradient_factor(X * units, mu * units, L * units[:, None])
    assert np.abs(scaled_mu * units - in_mu).max() <= rounding(100) * n * (1 + np.abs(in_mu).max())
    assert np.abs(scaled_L * units[:, None] - in_L).max() <= rounding(100) * n * (10 + np.abs(in_L).max())


# The precision


@pytest.mark.parametrize("d", range(1, 7))
def test_gradient_in_the_precision_is_that_of_jax(d: int) -> None:
    X, mu, L = draw(7, d, d)
    P = np.linalg.inv(L @ L.T)
    P = (P + P.T) / 2

    def value(mu: Any, P: Any) -> Any:
        Y = X - mu
        return -(7 * d * jnp.log(2 * jnp.pi) - 7 * autodiff.log_determinant(P) + jnp.sum(Y @ P * Y)) / 2

    in_mu, in_P = jax.grad(value, (0, 1))(jnp.asarray(mu), jnp.asarray(P))
    found_mu, found_P = loglik_gradient_precision(X, mu, P)
    assert_close(found_mu, in_mu, rounding(100))
    assert_close(found_P, in_P, rounding(100))


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(d=sizes, seed=seeds)
def test_one_row_is_the_entry_of_the_table_about_the_precision(convention: str, d: int, seed: int) -> None:
    X, mu, _ = draw(1, d, seed)
    P = spaces.positive_definite.draw(np.random.default_rng(seed), d)
    point = {"P": P, "x": X[0], "mu": mu}
    found = loglik_gradient_precision(X, mu, P, convention=convention)[1]
    expected = TABLE["normal_logpdf_P"].gradient(point, convention)
    assert np.abs(found - expected).max() <= rounding(10) * (1 + np.abs(expected).max())


@given(n=st.integers(1, 20), d=sizes, seed=seeds)
def test_precision_and_covariance_gradients_are_one_through_the_differential_of_the_inverse(
    n: int, d: int, seed: int
) -> None:
    """dP = -P dSigma P, so G_Sigma = -P G_P P."""
    X, mu, L = draw(n, d, seed, 3.0)
    Sigma = (L @ L.T + (L @ L.T).T) / 2
    P = np.linalg.inv(Sigma)
    P = (P + P.T) / 2
    mu_P, G_P = loglik_gradient_precision(X, mu, P)
    mu_Sigma, G_Sigma = loglik_gradient(X, mu, Sigma)
    size = n * (1 + np.abs(P).max()) ** 2 * (1 + np.abs(G_P).max())
    assert np.abs(mu_P - mu_Sigma).max() <= rounding(100) * size
    assert np.abs(-P @ G_P @ P - G_Sigma).max() <= rounding(100) * size


@given(n=st.integers(1, 9), d=sizes, seed=seeds, exponent=exponents)
def test_tables_of_the_precision_convert_into_each_other_and_are_symmetric(
    n: int, d: int, seed: int, exponent: int
) -> None:
    X, mu, _ = draw(n, d, seed)
    P = spaces.positive_definite.draw(np.random.default_rng(seed), d, 10.0**exponent)
    tables = {c: loglik_gradient_precision(X, mu, P, convention=c)[1] for c in CONVENTIONS}
    A = tables["entrywise"]
    assert np.array_equal(A, A.T)
    assert np.array_equal(tables["frobenius"], A)
    assert_close(tables["free"], convert_gradient(A, "entrywise", "free"), rounding())


@pytest.mark.parametrize("condition", [10.0, 1e4, 1e8])
def test_the_precision_gradient_is_right_where_the_precision_is_ill_conditioned(condition: float) -> None:
    rng = np.random.default_rng(3)
    P, mu = spaces.positive_definite.draw(rng, 4, condition), rng.standard_normal(4)
    X = rng.standard_normal((5, 4))
    with mpmath.workdps(50):
        inverse = mpmath.inverse(mpmath.matrix(P.tolist()))
        exact = np.array([[float(inverse[i, j]) for j in range(4)] for i in range(4)])
    Y = X - mu
    in_mu, in_P = loglik_gradient_precision(X, mu, P)
    assert_close(in_P, (5 * exact - Y.T @ Y) / 2, rounding(condition))
    assert_close(in_mu, P @ Y.sum(axis=0), rounding(10))


@pytest.mark.parametrize("d", range(1, 7))
def test_at_the_estimate_the_precision_is_stationary(d: int) -> None:
    X, _, _ = draw(40, d, d)
    mu, Sigma = fit_normal(X)
    P = np.linalg.inv(Sigma)
    in_mu, in_P = loglik_gradient_precision(X, mu, (P + P.T) / 2)
    assert np.abs(in_mu).max() <= rounding(100) * 40 * np.abs(P).max()
    assert np.abs(in_P).max() <= rounding(100) * 40 * np.abs(Sigma).max()


@given(d=sizes, seed=seeds)
def test_in_the_precision_the_log_likelihood_is_concave(d: int, seed: int) -> None:
    """Its gradient is monotone: <G(P) - G(R), P - R> is never positive."""
    X, mu, _ = draw(4, d, seed)
    rng = np.random.default_rng(seed)
    P, R = (spaces.positive_definite.draw(rng, d) for _ in range(2))
    gap = loglik_gradient_precision(X, mu, P)[1] - loglik_gradient_precision(X, mu, R)[1]
    assert np.sum(gap * (P - R)) < 0


# The Cholesky factor


@pytest.mark.parametrize("d", range(1, 7))
def test_the_differential_of_the_cholesky_factor_is_that_of_jax(d: int) -> None:
    L, dS, _ = draw_lower(d, d)
    S = L @ L.T
    _, expected = jax.jvp(jnp.linalg.cholesky, ((S + S.T) / 2,), ((dS + dS.T) / 2,))
    found = cholesky_differential(L, (dS + dS.T) / 2)
    assert_close(found, expected, rounding(1000))
    assert not np.triu(found, 1).any()


@pytest.mark.parametrize("d", range(1, 7))
def test_the_pullback_of_the_cholesky_factor_is_that_of_jax_symmetrised(d: int) -> None:
    L, _, L_bar = draw_lower(d, d)
    S = L @ L.T
    _, pull = jax.vjp(jnp.linalg.cholesky, (S + S.T) / 2)
    (entrywise,) = pull(jnp.tril(jnp.asarray(L_bar)))
    expected = convert_gradient(np.asarray(entrywise), "entrywise", "frobenius")
    assert_close(cholesky_pullback(L, L_bar), expected, rounding(1000))


@given(d=sizes, seed=seeds, exponent=exponents)
def test_the_differential_of_the_factor_gives_back_the_direction(d: int, seed: int, exponent: int) -> None:
    L, dS, _ = draw_lower(d, seed, 10.0**exponent)
    dS = (dS + dS.T) / 2
    dL = cholesky_differential(L, dS)
    assert dL.shape == (d, d)
    assert np.abs(dL @ L.T + L @ dL.T - dS).max() <= rounding(10.0**exponent) * max(np.abs(dS).max(), 1e-300)


@given(d=sizes, seed=seeds, exponent=exponents)
def test_the_pullback_is_the_transpose_of_the_differential(d: int, seed: int, exponent: int) -> None:
    L, dS, L_bar = draw_lower(d, seed, 10.0**exponent)
    dS = (dS + dS.T) / 2
    dL, G = cholesky_differential(L, dS), cholesky_pullback(L, L_bar)
    assert np.array_equal(G, G.T)
    terms = np.abs(L_bar).sum() * np.abs(dL).max() + np.abs(G * dS).sum()
    assert abs(np.sum(np.tril(L_bar) * dL) - np.sum(G * dS)) <= rounding(10.0**exponent) * terms


def test_the_differential_agrees_with_differences_of_the_factorisation() -> None:
    L, dS, L_bar = draw_lower(4, 0)
    S, dS = L @ L.T, (dS + dS.T) / 2
    found = fd_differential(np.linalg.cholesky, (S + S.T) / 2, dS, "richardson")
    assert_close(cholesky_differential(L, dS), found, 1e-9)
    table = fd_gradient(lambda S: (np.linalg.cholesky(S) * L_bar).sum(axis=(-2, -1)), (S + S.T) / 2,
                        "frobenius", "richardson")  # fmt: skip
    assert_close(cholesky_pullback(L, L_bar), table, 1e-8)


@given(d=sizes, seed=seeds)
def test_pulling_back_the_factor_gradient_of_the_likelihood_gives_its_covariance_gradient(
    d: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    L = spaces.lower.draw(rng, d)
    X, mu = rows(8, np.zeros(d), L, rng), np.zeros(d)
    S = L @ L.T
    _, in_L = loglik_gradient_factor(X, mu, L)
    _, G = loglik_gradient(X, mu, (S + S.T) / 2, convention="frobenius")
    size = 8 * np.abs(np.linalg.inv(S)).max() + np.abs(G).max()
    assert np.abs(cholesky_pullback(L, in_L) - G).max() <= rounding(1000) * size


def test_in_closed_form_for_one_and_two_dimensions() -> None:
    assert_close(cholesky_differential([[3.0]], [[6.0]]), [[1.0]], rounding())
    assert_close(cholesky_pullback([[3.0]], [[6.0]]), [[1.0]], rounding())
    # S = [[a^2, ab], [ab, b^2 + c^2]]
    a, b, c = 2.0, -3.0, 0.5
    dS = np.array([[1.0, 2.0], [2.0, 4.0]])
    da = 1 / (2 * a)
    db = (2.0 - b * da) / a
    dc = (4.0 - 2 * b * db) / (2 * c)
    assert_close(cholesky_differential([[a, 0], [b, c]], dS), [[da, 0], [db, dc]], rounding())


def test_above_the_diagonal_nothing_is_read_of_the_gradient_of_the_factor() -> None:
    L, _, L_bar = draw_lower(4, 1)
    assert np.array_equal(cholesky_pullback(L, L_bar), cholesky_pullback(L, np.tril(L_bar)))


# Log-Cholesky


@given(d=sizes, seed=seeds, exponent=exponents)
def test_log_cholesky_and_back_is_the_matrix(d: int, seed: int, exponent: int) -> None:
    S = spaces.positive_definite.draw(np.random.default_rng(seed), d, 10.0**exponent)
    theta = log_cholesky(S)
    assert theta.shape == (d * (d + 1) // 2,)
    back = from_log_cholesky(theta)
    assert_close(back, S, rounding())
    assert np.array_equal(back, back.T)


@given(d=sizes, seed=seeds)
def test_every_vector_is_the_log_cholesky_of_a_matrix(d: int, seed: int) -> None:
    theta = np.random.default_rng(seed).normal(size=d * (d + 1) // 2)
    S = from_log_cholesky(theta)
    assert spaces.positive_definite.contains(S)
    assert np.abs(log_cholesky(S) - theta).max() <= rounding(np.linalg.cond(S)) * max(
        1.0, np.abs(theta).max()
    )


@given(d=sizes, seed=seeds)
def test_coordinates_come_in_the_order_of_vech_with_logarithms_on_the_diagonal(d: int, seed: int) -> None:
    L = spaces.lower.draw(np.random.default_rng(seed), d)
    diagonal = vech(np.eye(d)) == 1
    expected = vech(L)
    expected[diagonal] = np.log(expected[diagonal])
    S = L @ L.T
    assert np.abs(log_cholesky((S + S.T) / 2) - expected).max() <= rounding(1000) * (
        1 + np.abs(expected).max()
    )


def test_the_identity_is_the_origin() -> None:
    for d in range(1, 7):
        assert not log_cholesky(np.eye(d)).any()
        assert np.array_equal(from_log_cholesky(np.zeros(d * (d + 1) // 2)), np.eye(d))


def test_half_the_log_determinant_is_the_sum_of_the_diagonal_coordinates() -> None:
    S = spaces.positive_definite.draw(np.random.default_rng(0), 4)
    total = log_cholesky(S)[vech(np.eye(4)) == 1].sum()
    assert_close(total, np.linalg.slogdet(S)[1] / 2, rounding(10))


# Bad input, and input in disguise

DATA, MEAN = np.zeros((3, 2)), np.zeros(2)
#: Each function of its matrix alone, the others being sound, with the matrix's name.
OF_MATRIX: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "loglik_gradient_factor": ("L", lambda M: loglik_gradient_factor(DATA, MEAN, M)),
    "loglik_gradient_precision": ("P", lambda M: loglik_gradient_precision(DATA, MEAN, M)),
    "cholesky_differential in L": ("L", lambda M: cholesky_differential(M, np.eye(2))),
    "cholesky_differential in dS": ("dS", lambda M: cholesky_differential(np.eye(2), M)),
    "cholesky_pullback in L": ("L", lambda M: cholesky_pullback(M, np.eye(2))),
    "cholesky_pullback in L_bar": ("L_bar", lambda M: cholesky_pullback(np.eye(2), M)),
    "log_cholesky": ("S", log_cholesky),
}


@pytest.mark.parametrize("function", OF_MATRIX)
@pytest.mark.parametrize("case", NOT_REAL | NOT_SQUARE)
def test_what_is_no_square_matrix_is_refused_by_name(function: str, case: str) -> None:
    name, call = OF_MATRIX[function]
    value, error = (NOT_REAL | NOT_SQUARE)[case]
    with pytest.raises(error, match=rf"^{name}\b"):
        call(value)


@pytest.mark.parametrize("function", ["loglik_gradient_precision", "log_cholesky"])
@pytest.mark.parametrize("case", NOT_A_COVARIANCE)
def test_what_is_no_positive_definite_matrix_is_refused_by_name(function: str, case: str) -> None:
    name, call = OF_MATRIX[function]
    value, error = NOT_A_COVARIANCE[case]
    with pytest.raises(error, match=rf"^{name}\b"):
        call(value)


@pytest.mark.parametrize("case", NOT_SYMMETRIC)
def test_a_direction_that_is_not_symmetric_is_refused(case: str) -> None:
    value, error = NOT_SYMMETRIC[case]
    with pytest.raises(error, match=r"^dS must be symmetric"):
        cholesky_differential(np.eye(2), value)


@pytest.mark.parametrize("call", [cholesky_differential, cholesky_pullback])
@pytest.mark.parametrize(
    ("L", "message"),
    [
        ([[1.0, 0.1], [0.0, 1.0]], r"lower triangular, but L\[0, 1\] = 0.1"),
        ([[1.0, 0.0], [0.0, 0.0]], r"positive diagonal, but L\[1, 1\] = 0"),
        ([[-1.0, 0.0], [0.0, 1.0]], r"positive diagonal, but L\[0, 0\] = -1"),
    ],
)
def test_what_is_no_cholesky_factor_is_refused(call: Callable[..., Any], L: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^L must .*{message}"):
        call(L, np.eye(2))


@pytest.mark.parametrize("call", [cholesky_differential, cholesky_pullback])
def test_shapes_of_the_two_arguments_that_differ_are_refused(call: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"^(dS|L_bar) .*shape"):
        call(np.eye(3), np.eye(2))


@pytest.mark.parametrize("call", [loglik_gradient_factor, loglik_gradient_precision])
@pytest.mark.parametrize(
    ("X", "mu", "name"),
    [
        (np.zeros(2), MEAN, "X"),
        (np.zeros((3, 3)), MEAN, "X"),
        (np.zeros((0, 2)), MEAN, "X"),
        (DATA, np.zeros(3), "mu"),
        (DATA, np.zeros((1, 2)), "mu"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(
    call: Callable[..., Any], X: Any, mu: Any, name: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{name} .*shape"):
        call(X, mu, np.eye(2))


@pytest.mark.parametrize("call", [loglik_gradient_factor, loglik_gradient_precision])
@pytest.mark.parametrize("case", NOT_REAL)
def test_bad_data_and_a_bad_mean_are_refused_by_name(call: Callable[..., Any], case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        call(value, MEAN, np.eye(2))
    with pytest.raises(error, match=r"^mu\b"):
        call(DATA, np.ravel(value) if case == "NaN" else value, np.eye(2))


def test_an_unknown_convention_is_answered_with_the_known_ones() -> None:
    for bad in ("paired", None, 1):
        with pytest.raises(ValueError, match="convention must be one of 'entrywise', 'frobenius', 'free'"):
            loglik_gradient_precision(DATA, MEAN, np.eye(2), convention=bad)
    with pytest.raises(TypeError):
        loglik_gradient_precision(DATA, MEAN, np.eye(2), "free")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("theta", "error"),
    [
        (np.zeros(2), ValueError),
        (np.zeros(5), ValueError),
        (np.zeros((2, 2)), ValueError),
        (0.0, ValueError),
        ([], ValueError),
        ([np.nan], ValueError),
        ([np.inf], ValueError),
        ([800.0], ValueError),
        ([-800.0], ValueError),
        ([-360.0], ValueError),
        ([0.0, 1e200, 0.0], ValueError),
        (["1"], TypeError),
        ([1j], TypeError),
        (None, TypeError),
    ],
)
def test_coordinates_of_no_matrix_are_refused(theta: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^theta\b"):
        from_log_cholesky(theta)


WHOLE = np.array([[5.0, 0.0], [2.0, 3.0]])


@pytest.mark.parametrize("function", [name for name in OF_MATRIX if "precision" not in name])
@pytest.mark.parametrize("disguise", disguises(WHOLE))
def test_a_matrix_in_another_dress_gives_the_same_and_is_left_unchanged(function: str, disguise: str) -> None:
    _, call = OF_MATRIX[function]
    M = WHOLE @ WHOLE.T if function in ("log_cholesky", "cholesky_differential in dS") else WHOLE
    value = disguises(M)[disguise]
    results = [call(v) for v in (M, value)]
    for plain, dressed in zip(*(r if isinstance(r, tuple) else (r,) for r in results), strict=True):
        assert np.abs(dressed - plain).max() <= rounding() * max(1.0, np.abs(plain).max())
        assert dressed.dtype == np.float64
        dressed[...] = np.nan
    assert np.array_equal(np.asarray(value, dtype=float), M)


def test_the_oracle_in_fifty_digits_agrees_with_the_other_one() -> None:
    X, mu, L = draw(4, 3, 2)
    in_mu, in_L = factor_gradient_in_fifty_digits(X, mu, L)
    _, through_mu, G = loglik_and_gradients(X, mu, L @ L.T)
    assert_close(in_mu, through_mu, rounding(100))
    assert_close(in_L, 2 * G @ L, rounding(100))


def test_the_coordinate_that_is_too_large_is_named() -> None:
    with pytest.raises(ValueError, match=r"^theta must give variances between .*, but theta\[2\] = 400"):
        from_log_cholesky([0.5, 3.0, 400.0])
