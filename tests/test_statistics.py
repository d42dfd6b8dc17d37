"""Sufficient statistics: against exact fractions, far from the origin, and as values that add."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hostile import NOT_REAL, disguises
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, rounding

from mvnlib import NormalStatistics, fit_normal
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
    assert_close(found.mean, X.mean(axis=0), rounding())
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
    """A chunk is 256 kB: 16384 rows of two."""
    for n in (16_384, 16_385, 100_003):
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
    total = a + b
    total.mean[...] = total.scatter[...] = np.nan
    for now, before in zip((a.mean, a.scatter, b.mean, b.scatter), kept, strict=True):
        assert np.array_equal(now, before)


def test_statistics_are_values_that_do_not_change_and_compare_without_complaint() -> None:
    some = NormalStatistics.from_data(draw(5, 2, 0))
    with pytest.raises(AttributeError):
        some.n = 3.0  # type: ignore[misc]
    assert some == some
    assert some != NormalStatistics.from_data(draw(5, 2, 0))  # the one is not the other; nor is it an error


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
def test_about_the_mean_the_first_sum_is_zero_and_the_second_smallest(n: int, d: int, seed: int) -> None:
    some = NormalStatistics.from_data(draw(n, d, seed))
    s, T = some.about(some.mean)
    assert not s.any()
    assert np.array_equal(T, some.scatter)
    _, elsewhere = some.about(some.mean + 1)
    assert (elsewhere.diagonal() > T.diagonal()).all()


# Input


@pytest.mark.parametrize("case", NOT_REAL)
def test_what_is_no_table_of_numbers_is_refused_by_name(case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        NormalStatistics.from_data(value)


@pytest.mark.parametrize("X", [1.0, np.ones(3), np.ones((2, 2, 2)), np.ones((0, 2)), np.ones((2, 0))])
def test_rows_of_another_shape_are_refused_by_name(X: Any) -> None:
    with pytest.raises(ValueError, match=r"^X\b"):
        NormalStatistics.from_data(X)


@pytest.mark.parametrize("disguise", disguises(np.eye(2)))
def test_input_in_another_dress_gives_the_same_and_is_left_unchanged(disguise: str) -> None:
    X = np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]])
    value = disguises(X)[disguise]
    found, plain = NormalStatistics.from_data(value), NormalStatistics.from_data(X)
    assert_same(found, plain)
    assert found.mean.dtype == found.scatter.dtype == np.float64
    found.mean[...] = found.scatter[...] = np.nan
    assert np.array_equal(np.asarray(value, dtype=float), X)


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
