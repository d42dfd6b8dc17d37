"""Sufficient statistics: against exact fractions, far from the origin, and as values that add."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import NOT_REAL, disguises
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, rounding

from mvnlib import (
    NormalStatistics,
    fit_normal,
    loglik,
    loglik_and_gradient,
    loglik_and_gradient_factor,
    loglik_and_gradient_precision,
    loglik_differences,
    loglik_gradient,
    loglik_gradient_factor,
    loglik_gradient_precision,
    loglik_hessian,
    loglik_hessian_operator,
)
from mvnlib.conventions import CONVENTIONS
from mvnlib.statistics import sums

sizes, seeds, counts = st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(1, 30)


def draw(n: int, d: int, seed: int, far: float = 0.0) -> np.ndarray:
    """Rows of unlike spread, ``far`` away from the origin."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.geomspace(1e-2, 1e2, d) + far


def exactly(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scatter matrix by fractions: nothing is rounded but the results."""
    n, d = X.shape
    columns = [[Fraction(float(x)) for x in column] for column in X.T]
    mean = [sum(column) / n for column in columns]
    scatter = [
        [float(sum((a - mean[i]) * (b - mean[j]) for a, b in zip(columns[i], columns[j], strict=True)))
         for j in range(d)]
        for i in range(d)
    ]  # fmt: skip
    return np.array([float(m) for m in mean]), np.array(scatter)


def assert_same(a: NormalStatistics, b: NormalStatistics, units: float = 200.0, far: float = 0.0) -> None:
    """Equal up to rounding: the mean in units of where the data are, the scatter column by column."""
    assert a.n == b.n
    spread = np.sqrt(np.maximum(a.scatter.diagonal(), b.scatter.diagonal()))
    assert (np.abs(a.mean - b.mean) <= rounding(units=units) * (np.abs(b.mean) + spread)).all()
    gap = np.abs(a.scatter - b.scatter)
    # A mean that is rounded where the data are moves the scatter of a merged set with it.
    shift = np.finfo(float).eps * far * np.sqrt(a.n)
    allowed = rounding(units=units) * np.outer(spread, spread) + 4 * shift * np.add.outer(spread, spread)
    assert (gap <= allowed + 4 * shift**2).all()


# Right


@pytest.mark.parametrize("far", [0.0, 1.0, 1e4, 1e8, 1e12, 1e15])
@pytest.mark.parametrize("d", [1, 3])
def test_mean_and_scatter_are_those_of_exact_fractions_however_far_from_the_origin(
    d: int, far: float
) -> None:
    X = draw(60, d, 1, far)
    found, (mean, scatter) = NormalStatistics.from_data(X), exactly(X)
    assert found.n == 60
    spread = np.sqrt(scatter.diagonal())
    assert (np.abs(found.mean - mean) <= rounding(units=4) * (np.abs(mean) + spread)).all()
    assert (np.abs(found.scatter - scatter) <= rounding() * np.outer(spread, spread)).all()


@given(n=counts, d=sizes, seed=seeds)
def test_scatter_is_n_times_the_covariance_and_symmetric(n: int, d: int, seed: int) -> None:
    X = draw(n, d, seed)
    found = NormalStatistics.from_data(X)
    assert found.mean.shape == (d,)
    assert found.scatter.shape == (d, d)
    assert np.array_equal(found.scatter, found.scatter.T)
    # A mean near zero is rounded at the size of the rows.
    assert (np.abs(found.mean - X.mean(axis=0)) <= rounding(units=20) * np.abs(X).max(axis=0)).all()
    expected = n * np.atleast_2d(np.cov(X.T, bias=True))
    assert np.abs(found.scatter - expected).max() <= rounding() * n * np.abs(X).max() ** 2


@given(d=sizes, seed=seeds)
def test_one_row_is_its_own_mean_and_has_no_scatter(d: int, seed: int) -> None:
    X = draw(1, d, seed, 1e3)
    found = NormalStatistics.from_data(X)
    assert found.n == 1
    assert np.array_equal(found.mean, X[0])
    assert not found.scatter.any()


def test_a_column_that_does_not_vary_has_a_scatter_of_exactly_zero() -> None:
    for n in (3, 10, 1000):
        X = draw(n, 3, n)
        X[:, 1] = 0.1
        scatter = NormalStatistics.from_data(X).scatter
        assert not scatter[1].any()
        assert not scatter[:, 1].any()
        with pytest.raises(np.linalg.LinAlgError, match="likelihood is unbounded"):
            fit_normal(X)


def test_more_rows_than_a_chunk_holds_are_summed_in_pairs_without_a_seam() -> None:
    """A chunk is half a megabyte: 32768 rows of two."""
    for n in (32_768, 32_769, 100_003):
        X = draw(n, 2, n, 1e8)
        whole = NormalStatistics.from_data(X)
        centred = X - 1e8  # exact, and then small
        expected = n * np.cov(centred.T, bias=True)
        spread = np.sqrt(expected.diagonal())
        assert (np.abs(whole.scatter - expected) <= rounding() * np.outer(spread, spread)).all()
        assert_close(whole.mean - 1e8, centred.mean(axis=0), 1e-6)


# Laws of adding


@given(n=counts, m=counts, d=sizes, seed=seeds, exponent=st.integers(-2, 9))
def test_two_sets_of_rows_add_to_the_statistics_of_their_union(
    n: int, m: int, d: int, seed: int, exponent: int
) -> None:
    far = 10.0**exponent
    X = draw(n + m, d, seed, far)
    parts = NormalStatistics.from_data(X[:n]) + NormalStatistics.from_data(X[n:])
    assert_same(parts, NormalStatistics.from_data(X), far=far)


@given(n=counts, d=sizes, seed=seeds, exponent=st.integers(-2, 9))
def test_adding_is_commutative_and_up_to_rounding_associative(
    n: int, d: int, seed: int, exponent: int
) -> None:
    far = 10.0**exponent
    a, b, c = (NormalStatistics.from_data(draw(n + k, d, seed + k, far * (1 + 0.1 * k))) for k in range(3))
    assert_same(a + b, b + a, far=far)
    assert_same((a + b) + c, a + (b + c), far=far)


@given(n=counts, d=sizes, seed=seeds)
def test_rows_added_one_at_a_time_give_the_same(n: int, d: int, seed: int) -> None:
    X = draw(n, d, seed)
    one_by_one = reduce(add, (NormalStatistics.from_data(row[None]) for row in X))
    assert_same(one_by_one, NormalStatistics.from_data(X), units=400)


def test_clusters_far_apart_add_their_distance() -> None:
    """The scatter between two means is n m / (n + m) of the outer product of the gap."""
    near, far = NormalStatistics.from_data([[0.0], [2.0]]), NormalStatistics.from_data([[9.0]])
    total = near + far
    assert total.n == 3
    assert_close(total.mean, [11 / 3], rounding())
    assert_close(total.scatter, [[2 + 2 / 3 * 8**2]], rounding())


def test_nothing_at_all_added_changes_nothing() -> None:
    empty = NormalStatistics(0.0, np.zeros(2), np.zeros((2, 2)))
    some = NormalStatistics.from_data(draw(5, 2, 0))
    for total in (empty + some, some + empty):
        assert_same(total, some)
    assert (empty + empty).n == 0


@pytest.mark.parametrize("other", [1, 0.0, 1.0, None, "5", np.eye(2), np.zeros(2), [1.0, 2.0], {"n": 5}])
def test_only_statistics_add(other: Any) -> None:
    some = NormalStatistics.from_data(draw(5, 2, 0))
    with pytest.raises(TypeError):
        some + other
    with pytest.raises(TypeError):
        other + some


def test_a_sum_of_statistics_is_that_of_all_rows() -> None:
    X = draw(50, 3, 2, 1e4)
    chunks = [NormalStatistics.from_data(X[start : start + 7]) for start in range(0, 50, 7)]
    assert_same(sum(chunks), NormalStatistics.from_data(X), far=1e4)
    assert sum(chunks[:1]) is chunks[0]
    with pytest.raises(TypeError):
        chunks[0] + 0


def test_statistics_of_different_dimensions_do_not_add() -> None:
    with pytest.raises(ValueError, match="dimension 2 and of dimension 3"):
        NormalStatistics.from_data(draw(5, 2, 0)) + NormalStatistics.from_data(draw(5, 3, 0))


def test_adding_leaves_both_summands_as_they_were() -> None:
    a, b = (NormalStatistics.from_data(draw(5, 2, seed)) for seed in (0, 1))
    kept = [x.copy() for x in (a.mean, a.scatter, b.mean, b.scatter)]
    assert (a + b).n == 10
    for now, before in zip((a.mean, a.scatter, b.mean, b.scatter), kept, strict=True):
        assert np.array_equal(now, before)


@pytest.mark.parametrize(
    "way", [lambda s: s, lambda s: s + s, lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy]
)
def test_the_arrays_of_statistics_cannot_be_written_to_nor_are_they_those_of_the_caller(
    way: Callable[[NormalStatistics], NormalStatistics],
) -> None:
    given = np.array([1.0, 2.0]), np.diag([3.0, 4.0]), np.zeros(2)
    for some in (NormalStatistics.from_data(draw(5, 2, 0)), NormalStatistics(5, *given)):
        some = way(some)
        kept = some.mean.copy()
        for name in ("mean", "scatter", "rest"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(some, name)[0] = 9
        with pytest.raises(ValueError, match="read-only"):
            some.mean -= 1  # type: ignore[misc]  # it would fail, but only after it has been done
        assert np.array_equal(some.mean, kept)
    assert all(array.flags.writeable for array in given)


def test_statistics_do_not_change() -> None:
    some = NormalStatistics.from_data(draw(5, 2, 0))
    with pytest.raises(AttributeError):
        some.n = 3.0  # type: ignore[misc]


# Sums about a point


@given(n=counts, d=sizes, seed=seeds)
def test_sums_about_a_point_are_the_sums_of_the_rows(n: int, d: int, seed: int) -> None:
    X = draw(n, d, seed)
    mu = np.random.default_rng(seed).standard_normal(d)
    Y = X - mu
    for s, T in (sums(X, mu, 1.0)[1:], NormalStatistics.from_data(X).about(mu)):
        assert s.shape == (d,)
        assert T.shape == (d, d)
        assert (np.abs(s - Y.sum(axis=0)) <= rounding() * np.abs(Y).sum(axis=0)).all()
        lengths = np.linalg.norm(Y, axis=0)
        assert (np.abs(T - Y.T @ Y) <= rounding() * np.outer(lengths, lengths)).all()


@given(n=counts, d=sizes, seed=seeds)
def test_about_the_mean_the_first_sum_is_its_rounding_and_the_second_smallest(
    n: int, d: int, seed: int
) -> None:
    some = NormalStatistics.from_data(draw(n, d, seed))
    s, T = some.about(some.mean)
    assert np.array_equal(s, n * some.rest)
    assert (np.abs(some.rest) <= np.spacing(np.abs(some.mean)) / 2).all()
    assert_close(T, some.scatter, rounding())
    _, elsewhere = some.about(some.mean + 1)
    assert (elsewhere.diagonal() > T.diagonal()).all()


@pytest.mark.parametrize("mu", [[1.0], [[1.0, 2.0]], 1.0, [1.0, np.nan], [1.0, np.inf]])
def test_a_point_that_is_none_is_refused_by_name(mu: Any) -> None:
    with pytest.raises(ValueError, match=r"^mu\b"):
        NormalStatistics.from_data(draw(5, 2, 0)).about(mu)


def test_sums_about_a_point_far_beyond_are_refused_and_not_infinite() -> None:
    some = NormalStatistics.from_data(draw(5, 2, 0))
    with pytest.raises(ValueError, match="far from mu"):
        some.about([1e200, 0.0])


@pytest.mark.parametrize("d", [1, 2, 255, 256, 300])
def test_chunks_and_long_rows_leave_no_seam_in_the_sums(d: int) -> None:
    """A chunk is half a megabyte, and no fewer rows than twice the columns."""
    step = max((1 << 19) // (8 * d), 2 * d)
    for n in (step - 1, step, step + 1, 2 * step + 3):
        rng = np.random.default_rng(n)
        X, mu = rng.integers(-8, 8, size=(n, d)).astype(float), rng.integers(-8, 8, size=d).astype(float)
        _, s, T = sums(X, mu, 1.0)
        assert np.array_equal(s, (X - mu).sum(axis=0))  # whole numbers: nothing is rounded
        assert np.array_equal(T, (X - mu).T @ (X - mu))
        _, s, T = sums(X, mu, np.full(d, 4.0))
        assert np.array_equal(s, (X - mu).sum(axis=0) / 4)
        assert np.array_equal(T, (X - mu).T @ (X - mu) / 16)


# In place of the data

MATRIX = np.array([[5.0, 2.0, 0.5], [2.0, 3.0, -1.0], [0.5, -1.0, 2.0]])
DIRECTION = np.array([[1.0, 2.0, 0.0], [2.0, -1.0, 0.5], [0.0, 0.5, 1.0]])
#: Every function of a log-likelihood, of the data and the mean alone.
OF_DATA: dict[str, Callable[[Any, Any], Any]] = {
    "loglik": lambda X, mu: loglik(X, mu, MATRIX),
    **{
        f"loglik_gradient, {c}": lambda X, mu, c=c: loglik_gradient(X, mu, MATRIX, convention=c)
        for c in CONVENTIONS
    },
    "loglik_and_gradient": lambda X, mu: loglik_and_gradient(X, mu, MATRIX),
    "loglik_gradient_factor": lambda X, mu: loglik_gradient_factor(X, mu, MATRIX),
    "loglik_and_gradient_factor": lambda X, mu: loglik_and_gradient_factor(X, mu, np.tril(MATRIX)),
    "loglik_gradient_precision": lambda X, mu: loglik_gradient_precision(X, mu, MATRIX),
    "loglik_and_gradient_precision": lambda X, mu: loglik_and_gradient_precision(X, mu, MATRIX),
    "loglik_hessian": lambda X, mu: loglik_hessian(X, mu, MATRIX, [1.0, -2.0, 0.5], DIRECTION),
    "loglik_hessian_operator": lambda X, mu: loglik_hessian_operator(X, mu, MATRIX)(
        [1.0, -2.0, 0.5], DIRECTION
    ),
    "loglik_differences": lambda X, mu: loglik_differences(X, mu, MATRIX),
}
every_function = pytest.mark.parametrize("function", OF_DATA)


def leaves(value: Any) -> list[np.ndarray]:
    """The arrays of nested tuples."""
    return (
        [leaf for part in value for leaf in leaves(part)] if isinstance(value, tuple) else [np.asarray(value)]
    )


@every_function
@given(n=counts, seed=seeds, pieces=st.integers(1, 5))
def test_statistics_stand_in_for_the_data_they_are_of(function: str, n: int, seed: int, pieces: int) -> None:
    X, mu = draw(n, 3, seed) / 50, np.random.default_rng(seed).standard_normal(3)
    chunks = [chunk for chunk in np.array_split(X, pieces) if len(chunk)]
    call, total = OF_DATA[function], sum(map(NormalStatistics.from_data, chunks))
    for found, expected in zip(leaves(call(total, mu)), leaves(call(X, mu)), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= rounding() * n * (1 + np.abs(X - mu).max()) ** 2 * 10


@every_function
def test_statistics_of_data_far_from_the_origin_lose_no_digits(function: str) -> None:
    """The deviations are whole numbers over 64, so that near and far are the same data."""
    rng = np.random.default_rng(3)
    Y, m = rng.integers(-500, 500, size=(64, 3)) / 64, rng.integers(-50, 50, size=3) / 64
    near, far = (
        OF_DATA[function](NormalStatistics.from_data(Y + shift), m + shift) for shift in (0.0, 2.0**40)
    )
    for found, expected in zip(leaves(far), leaves(near), strict=True):
        assert_close(found, expected, rounding())


SUMMED: dict[str, Callable[[np.ndarray], NormalStatistics]] = {
    "in one": NormalStatistics.from_data,
    "in chunks": lambda X: sum(map(NormalStatistics.from_data, np.array_split(X, 7))),  # type: ignore[return-value]
    "one row at a time": lambda X: reduce(add, (NormalStatistics.from_data(row[None]) for row in X)),
    "the last first": lambda X: reduce(add, (NormalStatistics.from_data(row[None]) for row in X[::-1])),
    "and sent": lambda X: pickle.loads(pickle.dumps(NormalStatistics.from_data(X))),
    "and given again": lambda X: NormalStatistics(
        *(getattr(NormalStatistics.from_data(X), name) for name in ("n", "mean", "scatter", "rest"))
    ),
    "beside none": lambda X: (
        NormalStatistics(0, np.zeros(X.shape[1]), np.zeros((X.shape[1], X.shape[1])))
        + NormalStatistics.from_data(X)
    ),
}


@pytest.mark.parametrize("way", SUMMED)
@pytest.mark.parametrize("far", [1e4, 1e8, 1e12])
def test_far_from_the_origin_the_mean_keeps_its_digits_too(way: str, far: float) -> None:
    """The gradient in mu, near the mean, is n times the difference of two numbers of the size of ``far``."""
    X = far + np.random.default_rng(8).standard_normal((61, 3))
    total = SUMMED[way](X)
    mu = np.array([float(sum(map(Fraction, column)) / 61) for column in X.T])
    exact = np.array(
        [float(sum(map(Fraction, column)) - 61 * Fraction(m)) for column, m in zip(X.T, mu, strict=True)]
    )
    s, _ = total.about(mu)
    assert np.abs(s - exact).max() <= rounding() * 61  # deviations are of size one
    found, expected = total.loglik_gradient(mu, MATRIX), loglik_gradient(X, mu, MATRIX)
    assert np.abs(found[0] - expected[0]).max() <= rounding() * 61
    assert_close(found[1], expected[1], rounding(10))


@every_function
def test_rows_that_weigh_twice_count_twice(function: str) -> None:
    X = draw(9, 3, 4) / 50
    one = NormalStatistics.from_data(X)
    two = NormalStatistics(2 * one.n, one.mean, 2 * one.scatter)
    mu = np.zeros(3)
    for found, expected in zip(
        leaves(OF_DATA[function](two, mu)), leaves(OF_DATA[function](np.vstack([X, X]), mu)), strict=True
    ):
        assert_close(found, expected, rounding(100))


@every_function
def test_no_rows_at_all_have_a_log_likelihood_of_zero_whatever_the_parameters(function: str) -> None:
    nothing = NormalStatistics(0, [0, 0, 0], np.zeros((3, 3)))
    for part in leaves(OF_DATA[function](nothing, np.ones(3))):
        assert not part.any()


@every_function
def test_statistics_of_rows_of_another_length_are_refused_by_name(function: str) -> None:
    with pytest.raises(ValueError, match=r"^X must be statistics of rows of length 3, .*shape \(2,\)"):
        OF_DATA[function](NormalStatistics.from_data(draw(5, 2, 0)), np.zeros(3))


def test_methods_are_the_functions_of_the_same_name() -> None:
    X = draw(30, 3, 5) / 50
    some, mu = NormalStatistics.from_data(X), np.ones(3)
    assert some.loglik(mu, MATRIX) == loglik(some, mu, MATRIX)
    for convention in CONVENTIONS:
        found = some.loglik_gradient(mu, MATRIX, convention=convention)
        for part, expected in zip(
            found, loglik_gradient(some, mu, MATRIX, convention=convention), strict=True
        ):
            assert np.array_equal(part, expected)
    for part, expected in zip(
        some.loglik_gradient(mu, MATRIX), loglik_gradient(some, mu, MATRIX), strict=True
    ):
        assert np.array_equal(part, expected)
    for part, expected in zip(some.fit(), fit_normal(some), strict=True):
        assert np.array_equal(part, expected)
    with pytest.raises(TypeError):
        some.loglik_gradient(mu, MATRIX, "free")  # type: ignore[misc]


def test_a_density_needs_the_rows_themselves() -> None:
    from mvnlib import logpdf

    with pytest.raises(TypeError, match=r"^X must be an array of real numbers"):
        logpdf(NormalStatistics.from_data(draw(5, 3, 0)), np.zeros(3), MATRIX)


def test_statistics_survive_a_pickle() -> None:
    some = NormalStatistics.from_data(draw(5, 3, 0))
    again = pickle.loads(pickle.dumps(some))
    assert again == some
    assert (again + some).n == 10


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_a_file_larger_than_the_chunks_is_fitted_without_being_read_into_memory(
    tmp_path: Path, dtype: type
) -> None:
    n, d, far = 60_000, 6, 1000
    rng = np.random.default_rng(6)
    rows = np.memmap(tmp_path / "rows", dtype=dtype, mode="w+", shape=(n, d))
    rows[:] = rng.integers(-500, 500, size=(n, d)) + far
    rows.flush()
    del rows
    X = np.memmap(tmp_path / "rows", dtype=dtype, mode="r", shape=(n, d))
    tracemalloc.start()
    chunks = (NormalStatistics.from_data(X[start : start + 7000]) for start in range(0, n, 7000))
    total = sum(chunks)
    whole = NormalStatistics.from_data(X)
    mu, Sigma = total.fit()
    in_one = loglik_and_gradient(X, mu, Sigma)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.2e6 < 8 * n * d / 1.3  # the data as float64 would be 2.9 MB
    exact = np.asarray(X).astype(np.int64)
    mean = exact.sum(axis=0) / n
    scatter = (exact - far).T @ (exact - far) - np.outer(
        exact.sum(axis=0) - n * far, exact.sum(axis=0) - n * far
    ) / n
    assert total.n == n
    for found in (total, whole):
        assert_close(found.mean, mean, rounding(units=4))
        assert_close(found.scatter, scatter, rounding(units=20))
    assert_close(in_one[0], total.loglik(mu, Sigma), rounding())
    for part in in_one[1]:
        assert np.abs(part).max() <= rounding() * n


def test_the_statistics_of_a_large_array_take_no_memory_of_its_size() -> None:
    for X in (np.zeros((40_000, 50), dtype=np.float32), np.zeros((40_000, 100))[:, ::2]):
        X[:, 3] = 1
        tracemalloc.start()
        NormalStatistics.from_data(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2e6


# Input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1.0, [0.0], [[1.0]]), ValueError, r"^n must not be negative, but it is -1\.0"),
        ((np.nan, [0.0], [[1.0]]), ValueError, r"^n must be finite"),
        (("3", [0.0], [[1.0]]), TypeError, r"^n must be"),
        ((1.0, 0.0, [[1.0]]), ValueError, r"^mean must be a vector"),
        ((1.0, [np.inf], [[1.0]]), ValueError, r"^mean must be finite"),
        ((1.0, [0.0, 0.0], [[1.0]]), ValueError, r"^scatter must have shape \(2, 2\)"),
        ((1.0, [0.0], [[np.nan]]), ValueError, r"^scatter must be finite"),
        ((1.0, [0.0], [[1.0]], [np.nan]), ValueError, r"^rest must be finite"),
        ((1.0, [0.0], [[1.0]], 0.0), ValueError, r"^rest must be a vector"),
        ((1.0, [1.7e308], [[1.0]], [1.7e308]), ValueError, r"^mean \+ rest must be finite"),
        ((1.0, [0.0], [[-1.0]]), ValueError, r"^scatter .*negative.*scatter\[0, 0\] = -1"),
        ((1.0, [0.0, 0.0], [[1.0, 0.0], [0.0, -2.0]]), ValueError, r"negative.*scatter\[1, 1\] = -2"),
        ((1.0, [0.0, 0.0], [[1.0, 2.0], [2.0, 3.0]]), ValueError, r"sum of squares.*scatter\[0, 1\] = 2"),
        ((1.0, [0.0, 0.0], [[1.0, -2.0], [-2.0, 3.0]]), ValueError, r"sum of squares.*scatter\[0, 1\] = -2"),
        (
            (1.0, [0.0, 0.0], [[1.0, 1e-9], [1e-9, 0.0]]),
            ValueError,
            r"sum of squares.*scatter\[0, 1\] = 1e-09",
        ),
        ((0.0, [0.0], [[1.0]]), ValueError, r"^scatter of no rows must be zero, but its trace is 1"),
        ((1.0, [0.0, 0.0], [[1.0, 0.5], [0.4, 1.0]]), ValueError, r"^scatter must be symmetric"),
        ((1.0, [0.0, 0.0], [[1e20, 0.5], [0.4, 1e-20]]), ValueError, r"^scatter must be symmetric"),
        ((1.0, [0.0, 0.0], [[1.0, 0.5], [0.4, 0.0]]), ValueError, r"^scatter must be symmetric"),
    ],
)
def test_statistics_of_no_rows_at_all_are_refused(
    arguments: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        NormalStatistics(*arguments)


def test_a_scatter_may_break_the_inequality_of_cauchy_and_schwarz_by_rounding_only() -> None:
    for excess, fits in ((0.9e-12, True), (1.1e-12, False)):
        for sign in (1, -1):
            covariance = sign * 20 * (1 + excess)
            arguments = 3, [0.0, 0.0], [[4.0, covariance], [covariance, 100.0]]
            if fits:
                NormalStatistics(*arguments)
            else:
                with pytest.raises(ValueError, match="sum of squares"):
                    NormalStatistics(*arguments)


def test_statistics_may_be_given_as_lists_and_whole_numbers() -> None:
    some = NormalStatistics(3, [1, 2], [[2, 1], [1, 4]])
    assert type(some.n) is float
    assert some.mean.dtype == some.scatter.dtype == np.float64
    assert (some + some).n == 6


@pytest.mark.parametrize("case", NOT_REAL)
def test_what_is_no_table_of_numbers_is_refused_by_name(case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        NormalStatistics.from_data(value)


@pytest.mark.parametrize("X", [1.0, np.ones(3), np.ones((2, 2, 2)), np.ones((0, 2)), np.ones((2, 0))])
def test_rows_of_another_shape_are_refused_by_name(X: Any) -> None:
    with pytest.raises(ValueError, match=r"^X\b"):
        NormalStatistics.from_data(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 70_000, 99_999])
def test_an_entry_that_is_not_finite_is_found_however_deep(bad: float, row: int) -> None:
    X = np.zeros((100_000, 3))
    X[row, 1] = bad
    for view, column in ((X, 1), (X[:, ::-1], 1), (np.asfortranarray(X), 1), (X.astype(np.float32), 1)):
        with pytest.raises(ValueError, match=rf"^X must be finite, but X\[{row}, {column}\] is {bad}"):
            NormalStatistics.from_data(view)


@pytest.mark.parametrize("disguise", disguises(np.eye(2)))
def test_input_in_another_dress_gives_the_same_and_is_left_unchanged(disguise: str) -> None:
    X = np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]])
    value = disguises(X)[disguise]
    found, plain = NormalStatistics.from_data(value), NormalStatistics.from_data(X)
    assert_same(found, plain)
    assert found.mean.dtype == found.scatter.dtype == np.float64
    assert np.array_equal(np.asarray(value, dtype=float), X)


# At the ends of the range of floats


@given(n=st.integers(2, 30), seed=seeds, exponents=st.lists(st.integers(-490, 490), min_size=3, max_size=3))
def test_powers_of_two_as_units_scale_the_statistics_exactly(n: int, seed: int, exponents: list[int]) -> None:
    X, a = draw(n, 3, seed), np.ldexp(1.0, exponents)
    plain, scaled = NormalStatistics.from_data(X), NormalStatistics.from_data(X * a)
    parts = [NormalStatistics.from_data(part * a) for part in (X[:1], X[1:])]
    assert np.array_equal(scaled.mean, plain.mean * a)
    assert np.array_equal(scaled.scatter, plain.scatter * a[:, None] * a)
    assert np.array_equal(scaled.rest, plain.rest * a)
    together = NormalStatistics.from_data(X[:1]) + NormalStatistics.from_data(X[1:])
    assert np.array_equal(sum(parts).scatter, together.scatter * a[:, None] * a)


@pytest.mark.parametrize("n", [2, 40_000])
@pytest.mark.parametrize("size", [1e155, 1e200, 1.7e308])
def test_data_whose_squares_overflow_are_refused(n: int, size: float) -> None:
    X = np.zeros((n, 2))
    X[::2, 1] = size
    with pytest.raises(ValueError, match=r"^X is too large: .*change its units"):
        NormalStatistics.from_data(X)
    X[1::2, 1] = -size
    with pytest.raises(ValueError, match=r"^X is too large: .*change its units"):
        NormalStatistics.from_data(X)


@pytest.mark.parametrize("n", [2, 40_000, 600_000])
@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e-155])
def test_data_whose_squares_underflow_are_refused_and_not_taken_for_constant(n: int, size: float) -> None:
    X = np.zeros((n, 2))
    X[-1, 1] = size
    with pytest.raises(ValueError, match=r"^X\[:, 1\] varies so little .*change its units"):
        NormalStatistics.from_data(X)
    X[:, 1] = size  # but this is constant
    assert not NormalStatistics.from_data(X).scatter.any()


def test_an_underflow_is_told_from_digits_that_are_there() -> None:
    """The smallest squares that keep all their digits are of the size of the smallest normal float."""
    x = 2.0**-511
    found = NormalStatistics.from_data([[x], [-x]])
    assert found.scatter == 2 * x * x
    with pytest.raises(ValueError, match="varies so little"):
        NormalStatistics.from_data([[x / 2], [-x / 2]])


def test_one_row_may_be_as_large_as_a_float_can_be() -> None:
    found = NormalStatistics.from_data([[1.7e308, -1e-320]])
    assert np.array_equal(found.mean, [1.7e308, -1e-320])
    assert not found.scatter.any()


def test_statistics_too_far_apart_do_not_add() -> None:
    one, two = (NormalStatistics.from_data([[x]]) for x in (-1e200, 1e200))
    with pytest.raises(ValueError, match="do not add: their scatter matrix overflows"):
        one + two
    far, away = (NormalStatistics.from_data([[x]]) for x in (-1.7e308, 1.7e308))
    with pytest.raises(ValueError, match="do not add: their scatter matrix overflows"):
        far + away


# The estimate that follows from them


def test_the_estimate_is_the_mean_and_the_scatter_over_n() -> None:
    X = draw(40, 3, 3)
    some, (mu, Sigma) = NormalStatistics.from_data(X), fit_normal(X)
    assert_close(mu, some.mean, rounding())
    assert_close(Sigma, some.scatter / 40, rounding())


@given(d=st.integers(2, 6), seed=seeds, n=st.sampled_from([7, 50, 2000]), kind=st.sampled_from("msf"))
def test_columns_that_depend_on_each_other_have_no_estimate_in_any_units(
    d: int, seed: int, n: int, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    X = draw(n, d, seed)
    if kind == "m":
        X[:, -1] = 3 * X[:, 0]
    elif kind == "s":
        X[:, -1] = X[:, :-1].sum(axis=1)
    else:
        X = X[:d]
    with pytest.raises(np.linalg.LinAlgError, match="likelihood is unbounded"):
        fit_normal(X * 10.0 ** rng.uniform(-6, 6, size=d))


@pytest.mark.parametrize("n", [5, 50, 5000])
def test_rounding_does_not_make_a_third_dimension_of_a_multiple(n: int) -> None:
    for seed in range(100):
        X = np.random.default_rng(seed).standard_normal((n, 3))
        X[:, 2] = 3 * X[:, 0]
        with pytest.raises(np.linalg.LinAlgError, match="likelihood is unbounded"):
            fit_normal(X)


@pytest.mark.parametrize("d", [2, 4])
def test_columns_have_an_estimate_from_sixteen_d_eps_of_independence_on(d: int) -> None:
    for part, fits in ((0.9, False), (1.1, True)):
        correlations = np.eye(d)
        correlations[0, 1] = correlations[1, 0] = 1 - part * 16 * d * np.finfo(float).eps
        units = 10.0 ** np.arange(d)
        some = NormalStatistics(9, np.zeros(d), correlations * units[:, None] * units)
        if fits:
            assert_close(fit_normal(some)[1], some.scatter / 9, rounding())
        else:
            with pytest.raises(np.linalg.LinAlgError, match="likelihood is unbounded"):
                fit_normal(some)


@given(d=sizes, seed=seeds)
def test_units_do_not_decide_whether_there_is_an_estimate(d: int, seed: int) -> None:
    X = draw(20, d, seed)
    units = 10.0 ** np.random.default_rng(seed).uniform(-60, 60, size=d)
    _, Sigma = fit_normal(X)
    _, scaled = fit_normal(X * units)
    spread = np.sqrt(Sigma.diagonal())
    back = scaled / units[:, None] / units
    assert (np.abs(back - Sigma) <= rounding() * np.outer(spread, spread)).all()


def test_data_too_large_for_a_covariance_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^X is too large"):
        fit_normal(draw(5, 2, 0) * 1e200)


def test_an_estimate_follows_from_the_statistics_alone() -> None:
    X = draw(40, 3, 7, 1e3)
    total = NormalStatistics.from_data(X[:11]) + NormalStatistics.from_data(X[11:])
    for found, expected in zip(fit_normal(total), fit_normal(X), strict=True):
        assert_close(found, expected, rounding(1e3))
    light = NormalStatistics(
        0.5, total.mean, total.scatter / 80
    )  # weights that sum to less than the dimension
    assert_close(fit_normal(light)[1], fit_normal(total)[1], rounding())
    with pytest.raises(np.linalg.LinAlgError, match=r"the 2 rows of X do not span its 3 dimensions"):
        NormalStatistics.from_data(X[:2]).fit()
    with pytest.raises(np.linalg.LinAlgError, match=r"^X has no rows"):
        NormalStatistics(0, np.zeros(3), np.zeros((3, 3))).fit()
    with pytest.raises(ValueError, match=r"^X .*overflows"):
        NormalStatistics(1e-10, np.zeros(1), [[1e300]]).fit()


def test_the_estimate_shares_no_memory_with_the_statistics() -> None:
    some = NormalStatistics.from_data(draw(9, 2, 0))
    kept = some.mean.copy(), some.scatter.copy()
    for part in fit_normal(some):
        part[...] = np.nan
    assert np.array_equal(some.mean, kept[0])
    assert np.array_equal(some.scatter, kept[1])


@pytest.mark.parametrize("d", [1, 2, 5, 20])
def test_the_largest_number_of_rows_that_do_not_span_the_space_has_no_estimate(d: int) -> None:
    """d rows about their mean span d - 1 dimensions, and d + 1 rows all of them."""
    for seed in range(20):
        X = np.random.default_rng(seed).standard_normal((d + 1, d))
        with pytest.raises(np.linalg.LinAlgError, match="likelihood is unbounded"):
            fit_normal(X[:-1])
        fit_normal(X)


def test_statistics_keep_their_own_numbers_and_refuse_what_no_data_have() -> None:
    mean, scatter, rest = np.zeros(2), np.eye(2), np.zeros(2)
    held = NormalStatistics(5, mean, scatter, rest)
    mean[0], scatter[0, 0], rest[0] = 7, 7, 7
    assert held.mean[0] == held.rest[0] == 0
    assert held.scatter[0, 0] == 1
    with pytest.raises(ValueError, match=r"scatter\[0, 1\] = 5.0 beside 1.0 and 1.0"):
        NormalStatistics(2, [0, 0], [[1, 5], [5, 1]])
    with pytest.raises(ValueError, match=r"scatter\[1, 0\] = 1e-300 beside 1.0 and 0.0"):
        NormalStatistics(2, [0, 0], [[0, 1e-300], [1e-300, 1]])
    with pytest.raises(ValueError, match="scatter of no rows must be zero"):
        NormalStatistics(0, [0], [[5.0]])
    NormalStatistics(2, [0, 0], [[1, -1], [-1, 1]])
    NormalStatistics(2, [0, 0], [[0, 0], [0, 1e300]])


@pytest.mark.parametrize("units", [[1.0, 1.0, 1.0], [1e-120, 1.0, 1e120]])
@pytest.mark.parametrize(("third", "fits"), [(-0.9, False), (0.6199, False), (0.6201, True), (1.0, True)])
def test_three_correlations_that_cannot_be_together_are_no_scatter_matrix(
    units: list[float], third: float, fits: bool
) -> None:
    """Each pair of them can: cos(a + b) with cos a = cos b = 0.9 is 0.62."""
    u = np.array(units)
    scatter = np.array([[1, 0.9, third], [0.9, 1, 0.9], [third, 0.9, 1]]) * u * u[:, None]
    if fits:
        assert np.array_equal(NormalStatistics(3, np.zeros(3), scatter).scatter, scatter)
        return
    with pytest.raises(ValueError, match=r"^scatter must be a sum of squares, but .* eigenvalue -"):
        NormalStatistics(3, np.zeros(3), scatter)
