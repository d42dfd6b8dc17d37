"""What the chapter "What is the derivative with respect to a matrix?" makes of the sources, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tolerances import DIFFERENCES, assert_close, rounding

from mvnlib import check_gradient, fd_differential, fd_gradient, spaces, vec
from mvnlib.identities import TABLE
from mvnlib.ops import det

DATA = Path(__file__).resolve().parents[1] / "chapters" / "data"
S = np.array([[3.0, 1.0], [2.0, 4.0]])
SYMMETRIC = np.array([[3.0, 1.0], [1.0, 4.0]])
E_12, E_21 = np.array([[0.0, 1], [0, 0]]), np.array([[0.0, 0], [1, 0]])


def only_in_pairs(S: np.ndarray) -> float:
    """S_12 on the symmetric matrices; where S_12 or S_21 is 0, it is 0."""
    a, b = S[0, 1], S[1, 0]
    return float(a * b * (a + b) / (a**2 + b**2)) if a or b else 0.0


def test_element_by_element_is_the_derivative_where_entries_move_alone() -> None:
    """S2-el: [df/dSigma]_ij is the derivative in the entry (i, j) alone, in its place."""
    quotients = [(det(S + 0.1 * E) - det(S)) / 0.1 for E in spaces.general.basis(2)]
    assert_close(np.reshape(quotients, (2, 2)), np.array([[4.0, -2.0], [-1.0, 3.0]]), rounding(10))


def test_a_covariance_off_the_diagonal_need_not_be_a_square() -> None:
    """S2-el: sigma^2_ij may be negative."""
    flowers = np.genfromtxt(DATA / "iris.csv", delimiter=",", skip_header=1, usecols=(1, 2, 3, 4))
    assert np.cov(flowers.T)[1, 2] < -0.3


def test_moving_a_pair_is_felt_twice() -> None:
    """S2-el: the definition is silent on symmetry, and the two readings differ by a factor of two."""
    single = fd_differential(det, SYMMETRIC, E_12, scheme="complex")
    assert_close(fd_differential(det, SYMMETRIC, E_12 + E_21, scheme="complex"), 2 * single, rounding(10))


def test_all_partials_without_a_differential_are_not_enough() -> None:
    """S2-el, S2-lin: a table of partials that predicts nothing, and is not accepted."""
    at = np.eye(2)
    assert not fd_gradient(only_in_pairs, at, batched=False).any()
    assert fd_differential(only_in_pairs, at, E_12 + E_21) == pytest.approx(1)
    verdict = check_gradient(only_in_pairs, np.zeros((2, 2)), at)
    assert not verdict
    assert "no differential" in verdict.message


def test_the_rest_of_the_linear_approximation_vanishes_faster_than_the_move_in_every_norm(
    rng: np.random.Generator,
) -> None:
    """S2-lin: best linear approximation, in whatever norm."""
    G = fd_gradient(det, S, scheme="complex")
    dS = rng.normal(size=(2, 2))
    for norm in (np.linalg.norm, lambda E: np.abs(E).sum(), lambda E: np.linalg.norm(E, 2)):
        ratios = [abs(det(S + t * dS) - det(S) - t * (G * dS).sum()) / norm(t * dS) for t in (1e-1, 1e-3)]
        assert ratios[1] == pytest.approx(1e-2 * ratios[0], rel=1e-6)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_all_norms_of_matrices_are_equivalent(d: int, rng: np.random.Generator) -> None:
    """S2-lin: c |E|_F <= |E| <= C |E|_F, with the constants of the chapter."""
    norms = {
        "rms": (lambda E: np.sqrt((E**2).mean()), 1 / d, 1 / d),
        "sum": (lambda E: np.abs(E).sum(), 1, d),
        "operator": (lambda E: np.linalg.norm(E, 2), 1 / np.sqrt(d), 1),
    }
    tried = [*rng.normal(size=(200, d, d)), np.eye(d), np.ones((d, d)), np.outer(np.eye(d)[0], np.eye(d)[0])]
    for norm, least, most in norms.values():
        ratios = [norm(E) / np.linalg.norm(E) for E in tried]
        assert min(ratios) == pytest.approx(least, rel=1e-12)
        assert max(ratios) == pytest.approx(most, rel=1e-12)
        of_proof = np.sqrt(sum(norm(E) ** 2 for E in spaces.general.basis(d)))
        assert most <= of_proof * (1 + 1e-12)


def test_the_root_mean_square_is_not_submultiplicative_and_does_not_govern_the_series() -> None:
    """S2-lin: at d = 4 the root mean square of 1.5 I is 0.75, and the Neumann series diverges."""

    def rms(E: np.ndarray) -> float:
        return float(np.sqrt((E**2).mean()))

    I = np.eye(4)
    assert rms(I @ I) > rms(I) * rms(I)
    assert rms(1.5 * I) == pytest.approx(0.75)
    partial = sum(np.linalg.matrix_power(-1.5 * I, n) for n in range(40))
    assert np.abs(partial - np.linalg.inv(2.5 * I)).max() > 1e6


def test_another_inner_product_gives_another_gradient_and_the_same_differential(
    rng: np.random.Generator,
) -> None:
    """S2-lin: the differential is one, its matrix depends on the inner product."""
    P = np.linalg.inv(SYMMETRIC)
    G = fd_gradient(det, SYMMETRIC, scheme="complex")
    other = SYMMETRIC @ G @ SYMMETRIC
    assert_close(other, 11 * SYMMETRIC, rounding(10))
    E = rng.normal(size=(2, 2))
    assert_close(np.trace(P @ other.T @ P @ E), (G * E).sum(), rounding(10))


def test_a_vector_is_a_matrix_of_one_column_but_its_table_is_not_part_of_that_of_Sigma() -> None:
    """S2-q: as a definition df/dmu is a special case, as numbers it is not."""
    point = {"x": np.array([1.0, 0.5]), "mu": np.array([0.0, 1.0]), "Sigma": SYMMETRIC}
    f = {name: TABLE[f"normal_pdf_{name}"].along(point) for name in ("x", "mu", "Sigma")}
    G = {name: fd_gradient(f[name], point[name]) for name in f}
    column = fd_gradient(lambda X: f["x"](X[:, 0]), point["x"][:, None], batched=False)
    assert_close(column, G["x"][:, None], DIFFERENCES["central"])
    assert_close(G["x"], -G["mu"], DIFFERENCES["central"])
    assert not any(np.allclose(np.abs(part), np.abs(G["mu"])) for part in (*G["Sigma"], *G["Sigma"].T))
    top = {**point, "x": point["mu"]}
    assert np.abs(fd_gradient(TABLE["normal_pdf_mu"].along(top), top["mu"])).max() < 1e-9
    assert np.abs(fd_gradient(TABLE["normal_pdf_Sigma"].along(top), top["Sigma"])).max() > 1e-3


def test_the_jacobian_of_one_row_is_the_table_reshaped_by_columns() -> None:
    """S2-jac: the same idea as a Jacobian matrix."""
    jacobian = fd_gradient(lambda s: det(s.reshape(2, 2).T), vec(S), scheme="complex")
    table = fd_gradient(det, S, scheme="complex")
    assert_close(jacobian, vec(table), rounding(10))
    assert_close(jacobian.reshape(2, 2), table.T, rounding(10))


def test_one_gradient_foresees_what_each_eruption_does_to_the_slope() -> None:
    """S2-lin: the differential on real data, 272 moves of all entries at once."""
    X = np.genfromtxt(DATA / "faithful.csv", delimiter=",", skip_header=1, usecols=(1, 2))
    S = np.cov(X.T, bias=True)
    G = np.array([[-S[0, 1] / S[0, 0], 1.0], [0.0, 0.0]]) / S[0, 0]
    without = np.array([np.cov(np.delete(X, k, axis=0).T, bias=True) for k in range(len(X))])
    actual = without[:, 0, 1] / without[:, 0, 0] - S[0, 1] / S[0, 0]
    predicted = np.einsum("ij,kij->k", G, without - S)
    assert len(X) == 272
    assert np.abs(predicted - actual).max() < 0.01 * np.abs(actual).max()
