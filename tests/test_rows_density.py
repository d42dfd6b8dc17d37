"""The rows of the sources that belong to the chapter on the density: each claim executed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from mvnlib import NormalStatistics, convert_gradient, fd_gradient, loglik, loglik_gradient, logpdf, spaces
from mvnlib.identities import TABLE

SEEDS = range(5)


def draw(seed: int, d: int = 3, n: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=d), spaces.positive_definite.draw(rng, d)


def close(found: Any, right: Any, rtol: float = 1e-9) -> bool:
    found, right = np.asarray(found), np.asarray(right)
    return found.shape == right.shape and bool(np.abs(found - right).max() <= rtol * np.abs(right).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_density_of_the_question_is_that_of_scipy_with_k_for_d(seed: int) -> None:
    """S2-f: f(x, Sigma, mu) as written, with k and n the same dimension."""
    X, mu, Sigma = draw(seed)
    x, k = X[0], len(mu)
    asked = np.exp(-(x - mu) @ np.linalg.inv(Sigma) @ (x - mu) / 2) / np.sqrt(
        (2 * np.pi) ** k * np.linalg.det(Sigma)
    )
    assert close(asked, multivariate_normal(mu, Sigma).pdf(x))
    assert close(asked, TABLE["normal_pdf_x"].value({"x": x, "mu": mu, "Sigma": Sigma}))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_derivatives_of_f_are_f_times_those_of_log_f(seed: int) -> None:
    """S2-f: df/dSigma = f A, df/dmu = f Sigma^-1 (x - mu), df/dx = -df/dmu."""
    X, mu, Sigma = draw(seed)
    point = {"x": X[0], "mu": mu, "Sigma": Sigma}
    f = TABLE["normal_pdf_x"].value(point)
    found = {}
    for name in point:
        entry = TABLE[f"normal_pdf_{name}"]
        found[name] = fd_gradient(entry.along(point), point[name], scheme="complex")
        assert close(found[name], f * TABLE[f"normal_logpdf_{name}"].gradient(point), 1e-11)
        assert close(found[name], entry.gradient(point), 1e-11)
    assert close(found["x"], -found["mu"], 1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_likelihood_of_n_rows_is_the_product_of_their_densities(seed: int) -> None:
    """S0-1: equation (1), data in rows."""
    X, mu, S = draw(seed)
    n, d = X.shape
    forms = sum((X[i] - mu) @ np.linalg.inv(S) @ (X[i] - mu).T for i in range(n))
    as_printed = np.exp(-forms / 2) / ((2 * np.pi) ** (n * d / 2) * np.linalg.det(S) ** (n / 2))
    assert close(np.log(as_printed), loglik(X, mu, S))
    assert close(np.log(as_printed), multivariate_normal(mu, S).logpdf(X).sum())


def test_a_likelihood_of_many_rows_is_zero_in_floats_and_its_logarithm_is_not() -> None:
    """S0-1: why the book computes with the logarithm."""
    X = np.random.default_rng(0).normal(size=(400, 3))
    assert np.prod(np.exp(logpdf(X, np.zeros(3), np.eye(3)))) == 0
    assert np.isfinite(loglik(X, np.zeros(3), np.eye(3)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_in_the_mean_is_the_precision_times_the_deviation(seed: int) -> None:
    """S1-mu: dL/dmu = Sigma^-1 (y - mu)."""
    X, mu, Sigma = draw(seed)
    score = np.linalg.inv(Sigma) @ (X[0] - mu)
    difference = fd_gradient(lambda m: logpdf(X[:1], m, Sigma)[0], mu, scheme="richardson")
    assert close(score, difference)
    assert close(loglik_gradient(X[:1], mu, Sigma)[0], score)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_form_of_rennies_equation_8_is_the_derivative_of_j2(seed: int) -> None:
    """S0-8: dJ2/dmu_j, both displayed forms."""
    X, mu, S = draw(seed)
    P = np.linalg.inv(S)
    difference = fd_gradient(lambda m: np.trace((X - m) @ P @ (X - m).T), mu, scheme="richardson")
    first = -np.einsum("jc,ac->j", P, X - mu) - np.einsum("ab,bj->j", X - mu, P)
    assert close(first, difference)
    assert close(-2 * np.einsum("ab,bj->j", X - mu, P), difference)


@pytest.mark.parametrize("seed", SEEDS)
def test_rennies_equation_9_as_printed_is_one_entry_and_as_mended_the_gradient(seed: int) -> None:
    """S0-9: the index j left over."""
    X, mu, S = draw(seed)
    P = np.linalg.inv(S)
    difference = fd_gradient(lambda m: np.trace((X - m) @ P @ (X - m).T), mu, scheme="richardson")
    for j in range(len(mu)):
        as_printed = -2 * sum((x - mu) @ P[:, j] for x in X)
        assert np.shape(as_printed) == () != difference.shape
        assert abs(as_printed - difference[j]) <= 1e-9 * np.abs(difference).max()
    assert close(-2 * sum((x - mu) @ P for x in X), difference)
    assert close(loglik_gradient(X, mu, S)[0], -difference / 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_in_sigma_is_half_the_hessian_in_x(seed: int) -> None:
    """S2-heat: entrywise half the Hessian; free, off the diagonal, the second derivative itself."""
    X, mu, Sigma = draw(seed)
    point = {"x": X[0], "mu": mu, "Sigma": Sigma}
    slope = TABLE["normal_pdf_x"]
    H = fd_gradient(lambda x: slope.gradient({**point, "x": x}), X[0], scheme="complex")
    G = fd_gradient(TABLE["normal_pdf_Sigma"].along(point), Sigma, scheme="complex")
    assert close(G, H / 2, 1e-10)
    free = convert_gradient(G, "entrywise", "free")
    off = ~np.eye(len(mu), dtype=bool)
    assert close(free[off], H[off], 1e-10)
    assert close(free.diagonal(), H.diagonal() / 2, 1e-10)


def test_the_probability_of_a_quadrant_follows_from_the_heat_equation() -> None:
    """S2-heat: 1/4 + arcsin(rho) / (2 pi)."""
    rho = 0.6
    found = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf([0, 0])
    assert abs(found - 0.25 - np.arcsin(rho) / (2 * np.pi)) < 1e-7


def test_the_score_has_mean_zero() -> None:
    rng = np.random.default_rng(1)
    _, mu, Sigma = draw(3)
    X = rng.multivariate_normal(mu, Sigma, size=100_000)
    in_mu, in_Sigma = loglik_gradient(X, mu, Sigma)
    per_bird = np.linalg.solve(Sigma, (X - mu).T)
    assert np.abs(in_mu / len(X)).max() < 5 * per_bird.std(axis=1).max() / np.sqrt(len(X))
    assert np.abs(in_Sigma / len(X)).max() < 5 * (per_bird**2).std(axis=1).max() / np.sqrt(len(X))


def test_two_sums_about_any_point_are_those_of_the_rows() -> None:
    X, mu, _ = draw(4, n=50)
    s, T = NormalStatistics.from_data(X).about(mu)
    assert close(s, (X - mu).sum(axis=0))
    assert close(T, (X - mu).T @ (X - mu))
