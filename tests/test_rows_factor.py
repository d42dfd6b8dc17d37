"""What the chapter "The factor S = L L^T" says of Rennie's note, claim by claim, with numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from mvnlib import fd_gradient, fit_normal, loglik, loglik_gradient_factor, logpdf, spaces
from mvnlib.identities import TABLE
from mvnlib.ops import inv, logdet, tr

PENGUINS = Path(__file__).resolve().parents[1] / "chapters" / "data" / "penguins.csv"


@pytest.fixture(scope="module")
def gentoo() -> np.ndarray:
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    with PENGUINS.open() as file:
        birds = [b for b in csv.DictReader(file) if b["species"] == "Gentoo" and b["body_mass_g"] != "NA"]
    return np.array([[float(b[c]) for c in columns] for b in birds])


@pytest.fixture
def point(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five rows in three dimensions, a mean, and a factor that is not triangular."""
    return rng.normal(size=(5, 3)), rng.normal(size=3), spaces.invertible.draw(rng, 3)


def J1(X: np.ndarray, L: np.ndarray) -> float:
    return len(X) * float(logdet(L @ L.T))


def J2(X: np.ndarray, mu: np.ndarray, L: np.ndarray) -> float:
    """As Rennie writes it: X_a - mu are rows."""
    P = inv(L @ L.T)
    return sum((row[None] @ P @ row[None].T).item() for row in X - mu)


def in_factor(X: np.ndarray, mu: np.ndarray, L: np.ndarray) -> np.ndarray:
    P, T = inv(L @ L.T), (X - mu).T @ (X - mu)
    return len(X) * P @ L - P @ T @ P @ L


def test_J_is_minus_the_logarithm_of_the_likelihood_and_C_is_half_n_d_log_2_pi(
    point: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Row S0-2: as printed, "J = P", the two sides differ; with -log they do not."""
    X, mu, L = point
    likelihood = np.exp(logpdf(X, mu, L @ L.T)).prod()
    right_side = 5 * 3 / 2 * np.log(2 * np.pi) + (J1(X, L) + J2(X, mu, L)) / 2
    assert np.isclose(-np.log(likelihood), right_side, rtol=1e-12)
    assert abs(likelihood - right_side) > 1


def test_the_likelihood_of_real_data_is_below_what_a_float_holds(gentoo: np.ndarray) -> None:
    """Row S0-2: why J is the logarithm."""
    assert np.exp(loglik(gentoo, *fit_normal(gentoo))) == 0


def test_J1_and_J2_are_the_two_terms_and_the_index_form_is_the_same_number(
    point: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Rows S0-3 and S0-4."""
    X, mu, L = point
    P, Y = inv(L @ L.T), X - mu
    assert np.isclose(J2(X, mu, L), np.einsum("ab,bc,ac->", Y, P, Y), rtol=1e-12)
    assert np.isclose(J2(X, mu, L), tr(P @ Y.T @ Y), rtol=1e-12)
    assert np.isclose(
        -loglik(X, mu, L @ L.T) - 7.5 * np.log(2 * np.pi), (J1(X, L) + J2(X, mu, L)) / 2, rtol=1e-12
    )


def test_equation_7_holds_for_wide_factors_and_is_the_inverse_transposed_for_square_ones(
    rng: np.random.Generator,
) -> None:
    """Row S0-5..7."""
    for shape in ((3, 3), (3, 5), (2, 7)):
        L = rng.normal(size=shape)
        found = fd_gradient(lambda L: logdet(L @ L.mT), L, scheme="complex")
        assert np.allclose(found, 2 * inv(L @ L.T) @ L, rtol=1e-9, atol=1e-12)
    square = rng.normal(size=(3, 3))
    table = TABLE["logdet_gram"].grad(square)
    assert np.allclose(table, 2 * inv(square).T, rtol=1e-9)
    assert not np.allclose(table, 2 * inv(square), rtol=0.1)


def test_equation_14_row_by_row_is_the_gradient_of_J2(
    point: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Row S0-10..14: with rows the product with the transpose in front is an outer product."""
    X, mu, L = point
    P = inv(L @ L.T)
    by_rows = -2 * P @ sum(row[None].T @ row[None] for row in X - mu) @ P @ L
    found = fd_gradient(
        lambda L: tr(inv(L @ L.mT) @ ((X - mu).T @ (X - mu))), L, scheme="complex", batched=False
    )
    assert np.allclose(found, by_rows, rtol=1e-9)
    assert np.allclose(TABLE["quadratic_gram"].grad(L, (X - mu).T @ (X - mu)), by_rows, rtol=1e-9)


def test_the_sum_that_is_not_in_the_note_is_the_gradient_and_vanishes_at_the_scatter_over_n(
    point: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Row S0-sum."""
    X, mu, L = point
    in_mu, in_L = loglik_gradient_factor(X, mu, L)
    assert np.allclose(-in_L, in_factor(X, mu, L), rtol=1e-9)
    assert np.allclose(-in_mu, -inv(L @ L.T) @ (X - mu).sum(axis=0), rtol=1e-9)
    mean, Sigma = fit_normal(X)
    for gradient in loglik_gradient_factor(X, mean, np.linalg.cholesky(Sigma)):
        assert np.abs(gradient).max() < 1e-10


def test_with_too_few_rows_J_falls_without_end(rng: np.random.Generator) -> None:
    """Row S0-sum: T must be nonsingular."""
    X = rng.normal(size=(3, 3))
    lam, V = np.linalg.eigh(np.cov(X.T, bias=True))
    values = [-loglik(X, X.mean(axis=0), V @ np.diag([eps, *lam[1:]]) @ V.T) for eps in (1.0, 1e-4, 1e-8)]
    assert np.allclose(np.diff(values), 1.5 * np.log(1e-4), atol=1e-3)
    with pytest.raises(np.linalg.LinAlgError):
        fit_normal(X)


def test_a_rotated_factor_is_the_same_and_the_hessian_is_flat_in_exactly_those_directions(
    gentoo: np.ndarray,
) -> None:
    """Row S0-id: d (d - 1) / 2 of d^2 directions."""
    Z = (gentoo - gentoo.mean(axis=0)) / gentoo.std(axis=0)
    mu, Sigma = fit_normal(Z)
    L = np.linalg.cholesky(Sigma)
    H = fd_gradient(lambda L: loglik_gradient_factor(Z, mu, L)[1], L, scheme="richardson", batched=False)
    H = -H.reshape(16, 16)
    lower = np.tril(np.ones((4, 4))).ravel() == 1
    spectrum = np.linalg.eigvalsh((H + H.T) / 2)
    assert (spectrum < 1e-6 * spectrum[-1]).sum() == 6
    assert (np.abs(spectrum) < 1e-6 * spectrum[-1]).sum() == 6
    assert (np.linalg.eigvalsh((H + H.T)[lower][:, lower]) > 1e-6 * spectrum[-1]).all()


def test_twenty_random_starts_end_at_the_closed_form(gentoo: np.ndarray) -> None:
    """Rows S0-gd and S0-local: descent on the assembled gradient, with mu free, finds T / n, up to rotation."""
    Z = (gentoo - gentoo.mean(axis=0)) / gentoo.std(axis=0)
    _, Sigma = fit_normal(Z)
    best = -loglik(Z, *fit_normal(Z))

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        mu, L = theta[:4], theta[4:].reshape(4, 4)
        in_mu, in_L = loglik_gradient_factor(Z, mu, L)
        return -loglik(Z, mu, L @ L.T), -np.concatenate([in_mu, in_L.ravel()])

    factors = []
    for seed in range(20):
        start = np.random.default_rng(seed).normal(size=20)
        options = {"ftol": 0.0, "gtol": 1e-8}
        end = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
        L = end.x[4:].reshape(4, 4)
        assert abs(end.fun - best) < 1e-7 * best
        assert np.abs(L @ L.T - Sigma).max() < 1e-5
        factors.append(L)
    assert np.abs(np.array(factors) - factors[0]).max() > 0.5


def test_the_excess_over_the_minimum_is_a_sum_of_terms_that_are_never_negative(
    rng: np.random.Generator,
) -> None:
    """Row S0-local: J(S) - J(T / n) = n / 2 sum (w - log w - 1)."""
    X = rng.normal(size=(9, 3))
    mu, Sigma = fit_normal(X)
    for _ in range(20):
        S = spaces.positive_definite.draw(rng, 3)
        w = np.linalg.eigvals(np.linalg.solve(S, Sigma)).real
        excess = loglik(X, mu, Sigma) - loglik(X, mu, S)
        assert np.isclose(excess, 4.5 * np.sum(w - np.log(w) - 1), rtol=1e-9)
        assert excess > 0


def share_above(coordinates: str, R: np.ndarray, rng: np.random.Generator, size: int = 2000) -> float:
    """Of random segments straight in the coordinates, the share whose middle is above the chord."""
    d = len(R)

    def J(mu: np.ndarray, S: np.ndarray) -> np.ndarray:
        P = inv(S)
        return (logdet(S) + tr(P @ R) + np.einsum("ai,aij,aj->a", mu, P, mu)) / 2

    def there(mu: np.ndarray, S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        P = inv(S)
        return {
            "Sigma": (0 * mu, S),
            "mu, Sigma": (mu, S),
            "mu, P": (mu, P),
            "P": (0 * mu, P),
            "P mu, P": (np.einsum("aij,aj->ai", P, mu), P),
        }[coordinates]

    def back(a: np.ndarray, A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if coordinates.endswith("Sigma"):
            return a, A
        S = inv(A)
        return (np.einsum("aij,aj->ai", S, a) if coordinates == "P mu, P" else a), S

    def draw() -> tuple[np.ndarray, np.ndarray]:
        W = rng.normal(size=(size, d, 2 * d)) * np.exp(rng.normal(size=(size, 1, 1)))
        return rng.normal(size=(size, d)), W @ W.mT / (2 * d)

    ends = [there(*draw()) for _ in range(2)]
    chord = sum(J(*back(*end)) for end in ends) / 2
    middle = J(*back(*((a + b) / 2 for a, b in zip(*ends, strict=True))))
    return float((middle > chord + 1e-9 * np.abs(chord)).mean())


@pytest.mark.parametrize("coordinates", ["Sigma", "mu, Sigma", "mu, P"])
def test_there_are_segments_on_which_J_is_not_convex(coordinates: str, rng: np.random.Generator) -> None:
    """Row S0-conv: a middle above the chord refutes."""
    assert share_above(coordinates, np.eye(4), rng) > 0.01


@pytest.mark.parametrize("coordinates", ["P", "P mu, P"])
def test_in_the_precision_no_segment_rises(coordinates: str, rng: np.random.Generator) -> None:
    """Row S0-conv: for fixed mu in P, and jointly in (P mu, P)."""
    assert share_above(coordinates, np.eye(4), rng) == 0


def test_one_segment_refutes_for_whatever_data(gentoo: np.ndarray) -> None:
    """Row S0-conv: from the estimate to twenty times it, by d (log c + 1 / c) / 2 a row."""
    mu, Sigma = fit_normal(gentoo)
    n, d = gentoo.shape
    J = {c: -loglik(gentoo, mu, c * Sigma) / n for c in (1.0, 10.5, 20.0)}
    rise = J[10.5] - (J[1.0] + J[20.0]) / 2
    expected = d / 2 * (np.log(10.5) + 1 / 10.5 - (1 + np.log(20) + 1 / 20) / 2)
    assert np.isclose(rise, expected, rtol=1e-9)
    assert rise > 0.8


def test_the_numbers_of_the_cookbook_are_those_of_the_edition_of_2012() -> None:
    """Row S0-ref."""
    assert "(43) and (57)" in TABLE["logdet"].source
    assert "(60)" in TABLE["inv"].source
