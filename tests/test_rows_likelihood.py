"""What the chapter "Maximum likelihood" says of the sources, claim by claim, with numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mvnlib import (
    check_gradient,
    convert_gradient,
    duplication_matrix,
    elimination_matrix,
    fd_gradient,
    fit_normal,
    loglik,
    loglik_gradient,
    loglik_gradient_precision,
    logpdf,
    spaces,
    vech,
)
from mvnlib.conventions import CONVENTIONS
from mvnlib.ops import adjugate, det, inv, kron, logdet, tr

IRIS = Path(__file__).resolve().parents[1] / "chapters" / "data" / "iris.csv"


@pytest.fixture(scope="module")
def setosa() -> np.ndarray:
    with IRIS.open() as file:
        return np.array([row[1:5] for row in csv.reader(file) if row[5] == "setosa"], dtype=float)


def objective(S: np.ndarray, C: np.ndarray) -> float:
    return float(-logdet(S) + tr(S @ C))


def table(S: np.ndarray, C: np.ndarray) -> np.ndarray:
    return -inv(S).T + C


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_working_out_sigma_takes_two_multiplications_in_every_convention(
    convention: str, setosa: np.ndarray
) -> None:
    """Row S1-work."""
    mu, Sigma = fit_normal(setosa)
    in_mu, in_Sigma = loglik_gradient(setosa, mu, Sigma, convention=convention)
    size = len(setosa) * np.abs(inv(Sigma)).max()
    assert np.abs(in_mu).max() < 1e-12 * size
    assert np.abs(in_Sigma).max() < 1e-12 * size
    elsewhere = Sigma + 0.1 * np.diag(Sigma.diagonal())
    A = loglik_gradient(setosa, mu, elsewhere)[1]
    T = (setosa - mu).T @ (setosa - mu)
    assert np.allclose(elsewhere @ (-2 * A) @ elsewhere, 50 * elsewhere - T, rtol=1e-9)


def test_the_divisor_n_is_too_small_by_n_minus_1_over_n_on_average() -> None:
    """Row S1-work: exactly, over all samples of three from four equally likely points."""
    points = np.random.default_rng(0).normal(size=(4, 2))
    samples = points[np.array(np.meshgrid(*[range(4)] * 3)).reshape(3, -1).T]
    Y = samples - samples.mean(axis=1, keepdims=True)
    assert np.allclose((Y.mT @ Y / 3).mean(axis=0), 2 / 3 * np.cov(points.T, bias=True), rtol=1e-12)


def test_in_the_precision_there_is_nothing_to_work_out(setosa: np.ndarray) -> None:
    """Row S1-work: n P^-1 - T, and the data do not occur in the second differential."""
    mu, Sigma = fit_normal(setosa)
    P = inv(Sigma)
    in_mu, in_P = loglik_gradient_precision(setosa, mu, (P + P.T) / 2)
    assert np.abs(in_P).max() < 1e-12 * len(setosa) * Sigma.max()
    assert np.abs(in_mu).max() < 1e-9 * len(setosa)


def test_the_printed_gradient_of_J_is_right_for_symmetric_matrices_only(rng: np.random.Generator) -> None:
    """Row S3-grad: adj(S) without its transpose; the zero it leads to is right."""
    S, C = spaces.invertible.draw(rng, 3), spaces.positive_definite.draw(rng, 3)
    for matrix, agrees in ((S, False), (S @ S.T, True), (inv(C), True)):
        right = fd_gradient(lambda S: -logdet(S) + tr(S @ C), matrix, scheme="complex")
        printed = -adjugate(matrix) / det(matrix) + C
        assert np.allclose(printed, right, rtol=1e-9, atol=1e-9) is agrees
        assert np.allclose(table(matrix, C), right, rtol=1e-9, atol=1e-9)
    assert np.abs(-adjugate(inv(C)) / det(inv(C)) + C).max() < 1e-9


def test_either_variable_will_do_because_the_gradients_are_tied(rng: np.random.Generator) -> None:
    """Row S3-q: G_Sigma = -S^T G S^T, zero together."""
    S, C = spaces.invertible.draw(rng, 3), spaces.positive_definite.draw(rng, 3)
    G = table(S, C)
    in_Sigma = fd_gradient(lambda M: -logdet(inv(M)) + tr(inv(M) @ C), inv(S), scheme="complex")
    assert np.allclose(in_Sigma, -S.T @ G @ S.T, rtol=1e-9)
    assert not np.allclose(in_Sigma, -S @ G @ S, rtol=1e-2)
    assert np.abs(inv(C).T @ table(inv(C), C) @ inv(C).T).max() < 1e-9


def test_a_smooth_bijection_may_add_stationary_points() -> None:
    """Row S3-q: f(x) = (x - 1)^2 and x = t^3."""
    t = -1.0
    for _ in range(10_000):
        t -= 0.01 * 2 * (t**3 - 1) * 3 * t**2
    assert abs(t**3) < 1e-6


def test_free_tables_transform_by_the_jacobian_of_vech_and_not_by_the_sandwich(
    rng: np.random.Generator,
) -> None:
    """Row S3-q."""
    S, C = (spaces.positive_definite.draw(rng, 3) for _ in range(2))
    free_S = convert_gradient(table(S, C), "entrywise", "free")
    free_Sigma = convert_gradient(-S @ table(S, C) @ S, "entrywise", "free")
    jacobian = -elimination_matrix(3) @ kron(S, S) @ duplication_matrix(3)
    assert np.allclose(jacobian.T @ vech(free_S), vech(free_Sigma), rtol=1e-9)

    def f(Sigma: np.ndarray) -> np.ndarray:
        return -logdet(inv(Sigma)) + tr(inv(Sigma) @ C)

    Sigma = inv(S)
    Sigma = (Sigma + Sigma.T) / 2
    assert check_gradient(f, free_Sigma, Sigma, "free").correct
    assert not check_gradient(f, -S @ free_S @ S, Sigma, "free").correct


def test_over_all_matrices_the_solution_is_a_saddle_with_six_ways_up_and_three_down(
    rng: np.random.Generator,
) -> None:
    """Row S3-dom, m = 3."""
    C = spaces.positive_definite.draw(rng, 3)
    H = fd_gradient(lambda S: -inv(S).mT + C, inv(C), scheme="complex").reshape(9, 9)
    curvatures = np.linalg.eigvalsh((H + H.T) / 2)
    assert (curvatures > 1e-6).sum() == 6
    assert (curvatures < -1e-6).sum() == 3


def test_along_a_skew_direction_J_falls_without_end(rng: np.random.Generator) -> None:
    """Row S3-dom."""
    C = spaces.positive_definite.draw(rng, 3)
    M = rng.normal(size=(3, 3))
    A, L = M - M.T, np.linalg.cholesky(C)
    kappa2 = np.sum((L.T @ A @ L) ** 2) / 2
    for t in (0.1, 10.0, 1e4, 1e8):
        fall = objective(inv(C) + t * A, C) - objective(inv(C), C)
        assert np.isclose(fall, -np.log1p(t**2 * kappa2), rtol=1e-6)


def test_plain_descent_over_all_entries_leaves_the_minimum_it_had_found(rng: np.random.Generator) -> None:
    """Row S3-dom: from the identity with a speck of asymmetry."""
    data = rng.normal(size=(50, 3))
    C = data.T @ data / 50
    S = np.eye(3)
    S[0, 1] += 1e-8
    gaps = []
    for _ in range(300):
        gaps.append(objective(S, C) - objective(inv(C), C))
        S = S - 0.1 * table(S, C)
    assert np.abs(gaps[60:90]).max() < 1e-3
    assert gaps[-1] < -5


def test_positive_weights_are_not_enough_the_points_must_span(rng: np.random.Generator) -> None:
    """Row S3-exist."""
    Y, v = rng.normal(size=(8, 3)), rng.normal(size=3)
    Y = Y - np.outer(Y @ v, v) / (v @ v)
    C = Y.T @ Y / 8
    values = [objective(np.eye(3) + t * np.outer(v, v), C) for t in (0.0, 1e3, 1e6)]
    assert np.allclose(np.diff(values), -np.diff(np.log1p(np.array([0.0, 1e3, 1e6]) * (v @ v))), rtol=1e-6)


def test_it_takes_d_plus_1_rows_and_flowers_of_equal_petals_are_none(setosa: np.ndarray) -> None:
    """Row S3-exist: n rows about their mean span n - 1 dimensions at most."""
    rows = np.random.default_rng(0).normal(size=(5, 4))
    fit_normal(rows)
    for too_few in (rows[:4], setosa[setosa[:, 3] == 0.2]):
        with pytest.raises(np.linalg.LinAlgError, match="unbounded"):
            fit_normal(too_few)


def test_a_cholesky_factor_is_enough_and_an_inverse_is_not_even_symmetric(rng: np.random.Generator) -> None:
    """Row S3-prec."""
    Sigma, y = spaces.positive_definite.draw(rng, 5, 1e8), rng.normal(size=5)
    L = np.linalg.cholesky(Sigma)
    z = np.linalg.solve(L, y)
    by_factor = -(5 * np.log(2 * np.pi) + 2 * np.log(L.diagonal()).sum() + z @ z) / 2
    assert np.isclose(by_factor, logpdf(y[None], np.zeros(5), Sigma)[0], rtol=1e-9)
    P = np.linalg.inv(Sigma)
    assert np.abs(P - P.T).max() > 0
    with pytest.raises(np.linalg.LinAlgError):  # the factorisation is a test, the inverse passes over it
        np.linalg.cholesky(np.diag([1.0, -1.0]))
    assert np.isfinite(np.linalg.inv(np.diag([1.0, -1.0]))).all()


def scales(S: np.ndarray, R: np.ndarray, halved: bool = True) -> np.ndarray:
    """The chapter's Newton steps in u, Sigma = D R D with D = 1 / u, for one row of covariance S."""
    M, u = inv(R) * S, 1 / np.sqrt(S.diagonal())
    for _ in range(40):
        step = np.linalg.solve(np.diag(1 / u**2) + M, 1 / u - M @ u)
        while halved and (u + step <= 0).any():
            step = step / 2
        u = u + step
    return u


def test_a_wrong_correlation_is_worse_than_none_and_own_variances_do_not_fit_it(setosa: np.ndarray) -> None:
    """The chapter's worked example: Sigma = D R D with the R of another species."""
    with IRIS.open() as file:
        other = np.array([row[1:5] for row in csv.reader(file) if row[5] == "versicolor"], dtype=float)
    (mu, S), R = fit_normal(setosa), np.corrcoef(other.T)
    u = scales(S, R)
    fitted = R / np.outer(u, u)
    fitted = (fitted + fitted.T) / 2
    own = R * np.sqrt(np.outer(S.diagonal(), S.diagonal()))
    values = [loglik(setosa, mu, fit) for fit in (np.diag(S.diagonal()), fitted, (own + own.T) / 2)]
    assert values[0] > values[1] + 5 > values[2] + 30
    G = loglik_gradient(setosa, mu, fitted)[1]
    allowed = (G @ np.diag(1 / u) @ R).diagonal()
    assert np.abs(allowed).max() < 1e-8 * np.abs(G).max()


def test_newton_finds_the_scales_if_its_steps_are_halved_and_not_always_without(
    setosa: np.ndarray, rng: np.random.Generator
) -> None:
    """Correlations that are nearly singular: a bare step makes a scale negative, a halved one arrives."""
    S, negative = fit_normal(setosa)[1], 0
    for _ in range(100):
        R = spaces.positive_definite.draw(rng, 4, 1e6)
        R = R / np.sqrt(np.outer(R.diagonal(), R.diagonal()))
        u = scales(S, R)
        assert (u > 0).all()
        assert np.allclose(u * (inv(R) * S @ u), 1, rtol=1e-6)
        negative += (scales(S, R, halved=False) <= 0).any()
    assert negative > 0
