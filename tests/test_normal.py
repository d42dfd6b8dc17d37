"""The log-likelihood and its gradients: against SciPy, fifty digits, the table, and their own laws."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hostile import NOT_A_COVARIANCE, NOT_REAL, disguises
from hypothesis import given
from hypothesis import strategies as st
from oracles.precise import loglik_and_gradients
from scipy.stats import multivariate_normal
from tolerances import assert_close, rounding

from mvnlib import spaces
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.differences import fd_gradient
from mvnlib.identities import TABLE
from mvnlib.normal import fit_normal, loglik, loglik_and_gradient, loglik_gradient, logpdf

sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)


def draw(n: int, d: int, seed: int, condition: float = 10.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    Sigma = spaces.positive_definite.draw(rng, d, condition)
    mu = rng.standard_normal(d)
    return mu + rng.standard_normal((n, d)) @ np.linalg.cholesky(Sigma).T, mu, Sigma


# Oracles


@given(n=st.integers(1, 20), d=sizes, seed=seeds, exponent=st.integers(0, 6))
def test_logpdf_is_that_of_scipy(n: int, d: int, seed: int, exponent: int) -> None:
    X, mu, Sigma = draw(n, d, seed, 10.0**exponent)
    expected = np.atleast_1d(multivariate_normal(mu, Sigma).logpdf(X))
    result = logpdf(X, mu, Sigma)
    assert result.shape == (n,)
    assert np.abs(result - expected).max() <= rounding(10.0**exponent) * max(1.0, np.abs(expected).max())
    assert type(loglik(X, mu, Sigma)) is float
    assert abs(loglik(X, mu, Sigma) - expected.sum()) <= rounding(10.0**exponent) * (
        n + np.abs(expected).sum()
    )


HARD = {
    "one row, one dimension": (1, 1, 1.0, 0.0),
    "one row": (1, 3, 10.0, 0.0),
    "two rows": (2, 2, 10.0, 0.0),
    "condition number 1e10": (5, 3, 1e10, 0.0),
    "condition number 1e10, one row": (1, 4, 1e10, 0.0),
    "points a thousand standard deviations away": (5, 3, 10.0, 1e3),
    "points a billion away": (3, 3, 100.0, 1e9),
    "many rows": (300, 2, 100.0, 0.0),
}


@pytest.mark.parametrize("case", HARD)
def test_value_and_gradients_are_right_in_fifty_digits(case: str) -> None:
    n, d, condition, far = HARD[case]
    X, mu, Sigma = draw(n, d, 5, condition)
    X = X + far
    value, in_mu, in_Sigma = loglik_and_gradients(X, mu, Sigma)
    tolerance = rounding(condition)
    assert_close(loglik(X, mu, Sigma), value, tolerance)
    assert_close(logpdf(X, mu, Sigma).sum(), value, tolerance)
    gradient_mu, gradient_Sigma = loglik_gradient(X, mu, Sigma)
    assert_close(gradient_mu, in_mu, tolerance)
    assert_close(gradient_Sigma, in_Sigma, tolerance)


def test_data_far_from_the_origin_but_near_the_mean_lose_no_digits() -> None:
    X, mu, Sigma = draw(50, 3, 6)
    X, mu = X + 1e8, mu + 1e8
    value, in_mu, in_Sigma = loglik_and_gradients(X, mu, Sigma)
    gradient_mu, gradient_Sigma = loglik_gradient(X, mu, Sigma)
    assert_close(loglik(X, mu, Sigma), value, rounding(10))
    assert_close(gradient_mu, in_mu, rounding(10))
    assert_close(gradient_Sigma, in_Sigma, rounding(10))


@pytest.mark.parametrize("d", [1, 2, 11, 12, 13, 22, 23, 33, 62, 63, 64, 65, 100, 255, 256, 600])
def test_no_dimension_is_treated_worse_than_another(d: int) -> None:
    """Short rows are turned, long ones whitened some coordinates at a time, and a chunk has 128 rows or more."""
    for n in (1, 130, 500):
        X, mu, Sigma = draw(n, d, d)
        Z = np.linalg.solve(np.linalg.cholesky(Sigma), (X - mu).T)
        constant = d * np.log(2 * np.pi) + np.linalg.slogdet(Sigma)[1]
        expected = -(constant + (Z**2).sum(axis=0)) / 2
        assert_close(logpdf(X, mu, Sigma), expected, rounding(10))
        value, (in_mu, in_Sigma) = loglik_and_gradient(X, mu, Sigma)
        P = np.linalg.inv(Sigma)
        Y = (X - mu) @ P
        assert abs(value - expected.sum()) <= rounding(10) * np.abs(expected).sum()
        assert_close(in_mu, Y.sum(axis=0), rounding(1000))
        assert_close(in_Sigma, -(n * P - Y.T @ Y) / 2, rounding(1000))


@pytest.mark.parametrize("d", [1, 2, 12, 40])
@pytest.mark.parametrize("function", ["logpdf", "loglik"])
def test_no_temporary_array_is_of_the_size_of_the_data(function: str, d: int) -> None:
    n = 4_000_000 // d  # 32 MB
    X, mu, Sigma = np.zeros((n, d)), np.ones(d), np.eye(d) + 1
    for data in (X, X.astype(np.float32), np.asfortranarray(X), X[::-1]):
        tracemalloc.start()
        result = CALLS[function](data, mu, Sigma)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= np.asarray(result).nbytes + 2e6
        assert_close(
            result,
            CALLS[function](X[:1], mu, Sigma).repeat(n) if function == "logpdf" else result,
            rounding(),
        )


@pytest.mark.parametrize(("function", "matrices"), [("logpdf", 2), ("loglik", 3), ("loglik_gradient", 3)])
def test_in_many_dimensions_few_matrices_are_held_at_a_time(function: str, matrices: int) -> None:
    d = 500
    data = draw(600, d, 0)
    CALLS[function](*data)
    tracemalloc.start()
    CALLS[function](*data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= matrices * 8 * d * d + 1.3e6


@pytest.mark.parametrize("d", [3, 20])
def test_the_layout_of_the_data_changes_no_digit(d: int) -> None:
    X, mu, Sigma = draw(5000, d, 8)
    wide = np.repeat(X, 2, axis=0)
    frozen = X.copy()
    frozen.flags.writeable = False
    views = {
        "Fortran": np.asfortranarray(X),
        "every other": wide[::2],
        "reversed": X[::-1].copy()[::-1],
        "frozen": frozen,
    }
    rough = X.astype(np.float32)
    for function in CALLS.values():
        plain = function(X, mu, Sigma)
        for data in views.values():
            for found, expected in zip(leaves(function(data, mu, Sigma)), leaves(plain), strict=True):
                assert np.array_equal(found, expected)
        for found, expected in zip(
            leaves(function(rough, mu, Sigma)), leaves(function(rough.astype(float), mu, Sigma)), strict=True
        ):
            assert np.array_equal(found, expected)


def leaves(value: Any) -> list[np.ndarray]:
    """The arrays of nested tuples."""
    return (
        [leaf for part in value for leaf in leaves(part)] if isinstance(value, tuple) else [np.asarray(value)]
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(n=st.integers(1, 9), d=sizes, seed=seeds)
def test_value_and_gradient_together_are_the_two_apart(convention: str, n: int, d: int, seed: int) -> None:
    X, mu, Sigma = draw(n, d, seed)
    value, gradient = loglik_and_gradient(X, mu, Sigma, convention=convention)
    assert type(value) is float
    assert value == loglik(X, mu, Sigma)
    for found, expected in zip(gradient, loglik_gradient(X, mu, Sigma, convention=convention), strict=True):
        assert np.array_equal(found, expected)


# The table


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(d=sizes, seed=seeds)
def test_one_row_is_the_entry_of_the_table(convention: str, d: int, seed: int) -> None:
    X, mu, Sigma = draw(1, d, seed)
    point = {"x": X[0], "mu": mu, "Sigma": Sigma}
    in_mu, in_Sigma = loglik_gradient(X, mu, Sigma, convention=convention)
    terms = np.abs(np.linalg.inv(Sigma)).max()
    assert abs(loglik(X, mu, Sigma) - TABLE["normal_logpdf_Sigma"].value(point)) <= rounding(10) * (d + 10)
    assert np.abs(in_mu - TABLE["normal_logpdf_mu"].gradient(point)).max() <= rounding(10) * terms * 10
    expected = TABLE["normal_logpdf_Sigma"].gradient(point, convention)
    assert in_Sigma.shape == expected.shape
    assert np.abs(in_Sigma - expected).max() <= rounding(10) * terms * 10 * max(1.0, np.abs(expected).max())


@given(n=st.integers(1, 30), d=sizes, seed=seeds)
def test_n_rows_are_the_sum_of_the_rows(n: int, d: int, seed: int) -> None:
    X, mu, Sigma = draw(n, d, seed)
    rows = [loglik_gradient(X[a : a + 1], mu, Sigma) for a in range(n)]
    in_mu, in_Sigma = loglik_gradient(X, mu, Sigma)
    assert abs(loglik(X, mu, Sigma) - logpdf(X, mu, Sigma).sum()) <= rounding(10) * n * d
    for total, parts in ((in_mu, [row[0] for row in rows]), (in_Sigma, [row[1] for row in rows])):
        assert total.shape == parts[0].shape
        assert np.abs(total - sum(parts)).max() <= rounding(10) * (1 + np.abs(parts).sum())


@given(n=st.integers(1, 10), d=sizes, seed=seeds)
def test_conventions_of_the_gradient_convert_into_each_other(n: int, d: int, seed: int) -> None:
    X, mu, Sigma = draw(n, d, seed)
    tables = {c: loglik_gradient(X, mu, Sigma, convention=c)[1] for c in CONVENTIONS}
    A = tables["entrywise"]
    assert np.array_equal(A, A.T)
    assert np.array_equal(tables["frobenius"], A)
    assert_close(tables["free"], 2 * A - np.diag(np.diag(A)), rounding())
    assert_close(tables["free"], convert_gradient(A, "entrywise", "free"), rounding())


def test_the_default_convention_is_entrywise_and_only_a_keyword() -> None:
    X, mu, Sigma = draw(4, 3, 0)
    assert np.array_equal(
        loglik_gradient(X, mu, Sigma)[1], loglik_gradient(X, mu, Sigma, convention="entrywise")[1]
    )
    with pytest.raises(TypeError):
        loglik_gradient(X, mu, Sigma, "free")  # type: ignore[misc]


@pytest.mark.parametrize("convention", ["frobenius", "free"])
def test_gradient_agrees_with_differences_of_the_log_likelihood(convention: str) -> None:
    X, mu, Sigma = draw(20, 3, 1)
    in_mu, in_Sigma = loglik_gradient(X, mu, Sigma, convention=convention)
    assert_close(in_mu, fd_gradient(lambda m: loglik(X, m, Sigma), mu, scheme="richardson"), 1e-9)
    table = fd_gradient(lambda S: loglik(X, mu, S), Sigma, convention, "richardson")
    assert_close(in_Sigma, table, 1e-9)


def test_the_gradient_of_the_density_is_the_density_times_the_score() -> None:
    X, mu, Sigma = draw(1, 3, 2)
    in_mu, in_Sigma = loglik_gradient(X, mu, Sigma)
    f = np.exp(logpdf(X, mu, Sigma)[0])
    point = {"x": X[0], "mu": mu, "Sigma": Sigma}
    assert_close(f * in_mu, TABLE["normal_pdf_mu"].gradient(point), rounding(10))
    assert_close(f * in_Sigma, TABLE["normal_pdf_Sigma"].gradient(point), rounding(10))
    assert_close(-f * in_mu, TABLE["normal_pdf_x"].gradient(point), rounding(10))


# Laws


def test_score_has_mean_zero() -> None:
    """Exactly, for rows whose mean and covariance are mu and Sigma: all x = mu +- sqrt(d) L e_i."""
    for d in (1, 2, 5):
        _, mu, Sigma = draw(1, d, d)
        L = np.linalg.cholesky(Sigma) * np.sqrt(d)
        X = np.concatenate([mu + L.T, mu - L.T])
        in_mu, in_Sigma = loglik_gradient(X, mu, Sigma)
        size = len(X) * np.abs(np.linalg.inv(Sigma)).max()
        assert np.abs(in_mu).max() <= rounding(10) * size
        assert np.abs(in_Sigma).max() <= rounding(10) * size


def test_score_has_mean_zero_and_the_information_as_its_variance_in_a_large_sample() -> None:
    n = 20000
    X, mu, Sigma = draw(n, 2, 3)
    scores = np.array([loglik_gradient(X[a : a + 1], mu, Sigma)[0] for a in range(0, n, 10)])
    P = np.linalg.inv(Sigma)
    assert np.abs(scores.mean(axis=0)).max() < 5 * np.sqrt(P.diagonal().max() / len(scores))
    assert np.abs(np.cov(scores.T) - P).max() < 0.2 * np.abs(P).max()


@given(n=st.integers(1, 10), d=sizes, seed=seeds)
def test_an_affine_map_of_data_and_parameters_changes_the_log_density_by_a_constant(
    n: int, d: int, seed: int
) -> None:
    X, mu, Sigma = draw(n, d, seed)
    rng = np.random.default_rng(seed + 1)
    A, b = spaces.invertible.draw(rng, d), rng.standard_normal(d)
    moved = A @ Sigma @ A.T
    before, after = logpdf(X, mu, Sigma), logpdf(X @ A.T + b, A @ mu + b, (moved + moved.T) / 2)
    shift = np.linalg.slogdet(A)[1]
    assert np.abs(after + shift - before).max() <= rounding(1e4) * max(1.0, np.abs(before).max())
    # The gradient moves with it: in Sigma by A^T G A, in mu by A^T g.
    g, G = loglik_gradient(X @ A.T + b, A @ mu + b, (moved + moved.T) / 2)
    h, H = loglik_gradient(X, mu, Sigma)
    size = 1 + np.abs(H).max() + n * np.abs(np.linalg.inv(Sigma)).max()
    assert np.abs(A.T @ g - h).max() <= rounding(1e4) * size
    assert np.abs(A.T @ G @ A - H).max() <= rounding(1e4) * size


@given(d=sizes, seed=seeds)
def test_rows_may_come_in_any_order(d: int, seed: int) -> None:
    X, mu, Sigma = draw(7, d, seed)
    order = np.random.default_rng(seed).permutation(7)
    assert_close(logpdf(X[order], mu, Sigma), logpdf(X, mu, Sigma)[order], rounding())
    assert_close(loglik(X[order], mu, Sigma), loglik(X, mu, Sigma), rounding())


def test_the_density_is_greatest_at_the_mean_and_the_likelihood_at_the_estimate() -> None:
    X, mu, Sigma = draw(40, 3, 4)
    assert logpdf(mu[None], mu, Sigma)[0] > logpdf(X, mu, Sigma).max()
    in_mu, in_Sigma = loglik_gradient(X, *fit_normal(X))
    assert np.abs(in_mu).max() <= rounding(100) * len(X)
    assert np.abs(in_Sigma).max() <= rounding(100) * len(X)
    assert loglik(X, *fit_normal(X)) > loglik(X, mu, Sigma)


def test_a_chunk_boundary_is_not_seen() -> None:
    """Rows are taken about a megabyte at a time."""
    X, mu, Sigma = draw(150_001, 2, 7)
    result = logpdf(X, mu, Sigma)
    for a in (0, 65_535, 65_536, 131_071, 131_072, 150_000):
        assert_close(result[a], logpdf(X[a : a + 1], mu, Sigma)[0], rounding())
    assert_close(loglik(X, mu, Sigma), result.sum(), rounding(10))
    P, Y = np.linalg.inv(Sigma), X - mu
    in_mu, in_Sigma = loglik_gradient(X, mu, Sigma)
    assert_close(in_mu, P @ Y.sum(axis=0), rounding(1000))
    assert_close(in_Sigma, -(len(X) * P - P @ Y.T @ Y @ P) / 2, rounding(1e4))


def test_the_constant_is_half_n_d_log_2_pi() -> None:
    assert_close(loglik(np.zeros((3, 2)), np.zeros(2), np.eye(2)), -3 * np.log(2 * np.pi), rounding())
    assert_close(logpdf([[0.0]], [0.0], [[4.0]]), [-0.5 * np.log(2 * np.pi * 4)], rounding())


# The estimate


def test_fit_is_the_mean_and_the_covariance_with_divisor_n() -> None:
    X, _, _ = draw(30, 3, 8)
    mu, Sigma = fit_normal(X)
    assert_close(mu, X.mean(axis=0), rounding())
    assert_close(Sigma, np.cov(X.T, bias=True), rounding())


@pytest.mark.parametrize(
    "X",
    [
        np.ones((5, 2)),
        np.arange(2.0)[None],
        np.eye(2),
        np.arange(5.0)[:, None] * [1.0, 2.0],
        np.zeros((1, 1)),
    ],
)
def test_rows_that_do_not_span_the_space_have_no_estimate(X: np.ndarray) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="likelihood is unbounded"):
        fit_normal(X)


# Bad input, and input in disguise

CALLS: dict[str, Callable[..., Any]] = {
    "logpdf": logpdf,
    "loglik": loglik,
    "loglik_gradient": loglik_gradient,
    "loglik_and_gradient": loglik_and_gradient,
}
every_function = pytest.mark.parametrize("function", CALLS)


@every_function
@pytest.mark.parametrize("case", NOT_A_COVARIANCE)
def test_a_bad_covariance_is_refused_by_name(function: str, case: str) -> None:
    value, error = NOT_A_COVARIANCE[case]
    with pytest.raises(error, match=r"^Sigma\b"):
        CALLS[function](np.zeros((3, 2)), np.zeros(2), value)


@every_function
@pytest.mark.parametrize("case", NOT_REAL)
def test_bad_data_and_a_bad_mean_are_refused_by_name(function: str, case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        CALLS[function](value, np.zeros(2), np.eye(2))
    with pytest.raises(error, match=r"^mu\b"):
        CALLS[function](np.zeros((3, 2)), np.ravel(value) if case == "NaN" else value, np.eye(2))


@every_function
@pytest.mark.parametrize(
    ("X", "mu", "name"),
    [
        (np.zeros(2), np.zeros(2), "X"),
        (np.zeros((3, 3)), np.zeros(2), "X"),
        (np.zeros((2, 3, 2)), np.zeros(2), "X"),
        (np.zeros((0, 2)), np.zeros(2), "X"),
        (0.0, np.zeros(2), "X"),
        (np.zeros((3, 2)), np.zeros(3), "mu"),
        (np.zeros((3, 2)), np.zeros((1, 2)), "mu"),
        (np.zeros((3, 2)), 0.0, "mu"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(function: str, X: Any, mu: Any, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name} .*shape"):
        CALLS[function](X, mu, np.eye(2))


@pytest.mark.parametrize("case", NOT_REAL)
def test_bad_data_have_no_estimate(case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        fit_normal(value)


def test_an_unknown_convention_is_answered_with_the_known_ones() -> None:
    for bad in ("paired", None, 1):
        for function in (loglik_gradient, loglik_and_gradient):
            with pytest.raises(
                ValueError, match="convention must be one of 'entrywise', 'frobenius', 'free'"
            ):
                function(np.zeros((3, 2)), np.zeros(2), np.eye(2), convention=bad)


@every_function
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("n", "d", "row"), [(3, 2, 1), (100_000, 3, 70_000), (9000, 20, 8999), (1, 1, 0)])
def test_an_entry_that_is_not_finite_is_found_however_deep(
    function: str, bad: float, n: int, d: int, row: int
) -> None:
    X = np.zeros((n, d))
    X[row, d - 1] = bad
    for data in (X, X.astype(np.float32), np.asfortranarray(X)):
        with pytest.raises(ValueError, match=rf"^X must be finite, but X\[{row}, {d - 1}\] is {bad}"):
            CALLS[function](data, np.zeros(d), np.eye(d))


@every_function
def test_a_covariance_singular_but_for_rounding_is_refused(function: str) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        d = 2 + seed % 5
        A = rng.standard_normal((d, d - 1)) * 10.0 ** rng.integers(-8, 8, size=(d, 1))
        with pytest.raises(np.linalg.LinAlgError, match=r"^Sigma must be positive definite"):
            CALLS[function](np.zeros((3, d)), np.zeros(d), A @ A.T)


WHOLE = {
    "X": np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]]),
    "mu": np.array([1.0, 2.0]),
    "Sigma": np.array([[5.0, 2.0], [2.0, 3.0]]),
}


@every_function
@pytest.mark.parametrize("argument", WHOLE)
@pytest.mark.parametrize("disguise", disguises(WHOLE["Sigma"]))
def test_input_in_another_dress_gives_the_same_and_is_left_unchanged(
    function: str, argument: str, disguise: str
) -> None:
    value = disguises(WHOLE[argument])[disguise]
    results = [CALLS[function](*{**WHOLE, argument: v}.values()) for v in (WHOLE[argument], value)]
    for plain, dressed in zip(*map(leaves, results), strict=True):
        assert_close(dressed, plain, rounding())
        assert dressed.dtype == np.float64
    assert np.array_equal(np.asarray(value, dtype=float), WHOLE[argument])


@every_function
def test_the_result_shares_no_memory_with_the_input(function: str) -> None:
    X, mu, Sigma = draw(3, 2, 0)
    kept = X.copy(), mu.copy(), Sigma.copy()
    result = CALLS[function](X, mu, Sigma)
    for part in leaves(result):
        if part.ndim:
            part[...] = np.nan
    for now, before in zip((X, mu, Sigma), kept, strict=True):
        assert np.array_equal(now, before)
