"""Units that round nothing, and inverses of triangular matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, rounding

from mvnlib import spaces
from mvnlib._scaling import (
    inverse_of_gram,
    inverse_of_lower,
    log_determinant,
    powers_of_two,
    rescaled,
    units_of,
)

exponents = st.lists(st.integers(-1000, 1000), min_size=1, max_size=5)


@given(exponents=exponents, seed=st.integers(0, 2**32 - 1))
def test_a_deviation_in_its_unit_is_between_a_half_and_one(exponents: list[int], seed: int) -> None:
    deviations = np.ldexp(np.random.default_rng(seed).uniform(0.5, 1, len(exponents)), exponents)
    scaled = deviations / powers_of_two(deviations)
    assert (scaled >= 0.5).all()
    assert (scaled < 1).all()
    mantissas, _ = np.frexp(powers_of_two(deviations))
    assert (mantissas == 0.5).all()  # of a power of two


def test_of_nothing_the_unit_is_one() -> None:
    assert np.array_equal(powers_of_two(np.array([0.0, 0.75])), [1.0, 1.0])


def test_a_unit_and_one_over_it_are_floats_at_both_ends_of_the_range() -> None:
    ends = np.array([5e-324, np.finfo(float).tiny, np.finfo(float).max])
    units = powers_of_two(ends)
    assert np.array_equal(units, [2.0**-1022, 2.0**-1021, 2.0**1023])
    assert np.isfinite(1 / units).all()


@pytest.mark.parametrize("exponent", [127, -127])
def test_tame_deviations_need_no_units(exponent: int) -> None:
    assert units_of(np.array([1.0, 2.0**exponent])) == 1.0
    assert type(units_of(np.array([1.0]))) is float
    wild = np.array([1.0, 2.0 ** (exponent + np.sign(exponent))])
    assert np.array_equal(units_of(wild), 2 * wild)


@given(exponents=st.lists(st.integers(-400, 400), min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_scaling_there_and_back_rounds_nothing(exponents: list[int], seed: int) -> None:
    d = len(exponents)
    M, factors = np.random.default_rng(seed).standard_normal((d, d)), np.ldexp(1.0, exponents)
    scaled = rescaled(M, factors)
    i, j = np.indices((d, d))
    assert np.array_equal(scaled, M * factors[i] * factors[j])
    assert np.array_equal(rescaled(scaled, 1 / factors), M)
    assert rescaled(M, 1.0) is M


def test_factors_whose_product_is_no_float_scale_all_the_same() -> None:
    assert rescaled(np.array([[2.0**-1000]]), np.array([2.0**900])) == 2.0**800


@pytest.mark.parametrize("d", [1, 2, 3, 31, 32, 33, 63, 64, 65, 66, 100, 131])
def test_the_inverse_of_a_lower_triangle_is_one_to_the_last_digits(d: int) -> None:
    L = np.linalg.cholesky(spaces.positive_definite.draw(np.random.default_rng(d), d, 1e6))
    kept = L.copy()
    W = inverse_of_lower(L)
    assert not np.triu(W, 1).any()
    eye = np.eye(d)
    assert np.abs(W @ L - eye).max() <= rounding(units=d) * np.linalg.cond(L)
    assert_close(W, np.tril(np.linalg.solve(L, eye)), rounding(1e3, units=d))
    P = inverse_of_gram(L)
    assert np.array_equal(P, P.T)
    assert_close(P, np.linalg.inv(L @ L.T), rounding(1e6))
    assert np.array_equal(L, kept)


@pytest.mark.parametrize("d", [2, 5, 33, 70])
def test_unlike_rows_and_columns_exchange_no_rows_in_the_inverse(d: int) -> None:
    """A general inverse pivots on the large rows, and small ones lose digits; here they scale exactly."""
    rng = np.random.default_rng(d)
    L = np.tril(rng.standard_normal((d, d)), -1) + np.diag(rng.uniform(1, 2, d))
    L *= np.where(np.tri(d, k=-1) > 0, 1 / d, 1.0)
    rows, columns = (np.ldexp(1.0, rng.integers(-200, 200, d)) for _ in range(2))
    scaled = inverse_of_lower(L * rows[:, None] * columns)
    assert np.array_equal(scaled * columns[:, None] * rows, inverse_of_lower(L))


def test_the_log_determinant_is_that_of_the_product_with_its_units() -> None:
    L, units = np.array([[2.0, 0.0], [5.0, 0.5]]), np.array([4.0, 8.0])
    S = L @ L.T * np.outer(units, units)
    assert_close(log_determinant(L, units), np.linalg.slogdet(S)[1], rounding(10))
    assert log_determinant(L, 1.0) == 0.0
    huge = np.array([2.0**500, 2.0**-400])
    assert_close(log_determinant(L, huge), 2 * 100 * np.log(2), rounding())
