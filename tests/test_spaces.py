"""Spaces: their points, their directions, their symbols."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from mvnlib import spaces
from mvnlib.spaces import SPACES, Space, matrix

ALL = [*{space.name: space for space in SPACES.values()}.values(), matrix("m", "d"), matrix("d", "d")]
every_space = pytest.mark.parametrize("space", ALL, ids=[space.name for space in ALL])
conditioned = pytest.mark.parametrize("space", [spaces.invertible, spaces.positive_definite, spaces.lower])
sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@every_space
@given(d=sizes, seed=seeds)
def test_a_drawn_point_lies_in_its_space(space: Space, d: int, seed: int) -> None:
    point = space.draw(generator(seed), d)
    assert np.shape(point) == space.sides(d)
    assert space.contains(point)
    assert np.array_equal(point, space.draw(generator(seed), d))


@conditioned
@given(d=st.integers(2, 6), seed=seeds, exponent=st.integers(0, 10))
def test_a_drawn_matrix_has_the_condition_number_asked_for(
    space: Space, d: int, seed: int, exponent: int
) -> None:
    condition = 10.0**exponent
    point = space.draw(generator(seed), d, condition)
    assert np.isclose(np.linalg.cond(point), condition, rtol=1e-12 * condition + 1e-12)
    assert space.contains(point)


@pytest.mark.parametrize("space", [spaces.positive_definite, spaces.symmetric])
@given(d=sizes, seed=seeds)
def test_symmetric_points_and_directions_are_symmetric_to_the_last_bit(
    space: Space, d: int, seed: int
) -> None:
    for A in (space.draw(generator(seed), d), space.direction(generator(seed), d)):
        assert np.array_equal(A, A.T)


@given(d=st.integers(2, 6), seed=seeds)
def test_an_accretive_matrix_is_not_symmetric(d: int, seed: int) -> None:
    A = spaces.accretive.draw(generator(seed), d)
    assert 0 < np.abs(A - A.T).max() < 10 * np.linalg.eigvalsh(A + A.T)[0]


@every_space
@given(d=sizes, seed=seeds)
def test_a_direction_is_a_combination_of_the_basis(space: Space, d: int, seed: int) -> None:
    basis, E = space.basis(d), space.direction(generator(seed), d)
    coordinates = [E[tuple(np.argwhere(B)[0])] for B in basis]
    assert np.array_equal(sum(c * B for c, B in zip(coordinates, basis, strict=True)), E)


@every_space
@given(d=sizes)
def test_the_basis_is_orthogonal_and_has_the_dimension_of_the_space(space: Space, d: int) -> None:
    basis = np.array([B.ravel() for B in space.basis(d)])
    assert np.array_equal(basis @ basis.T, np.diag(basis.sum(axis=1)))
    size = int(np.prod(space.sides(d)))
    tied = space.symmetric or space is spaces.lower
    assert len(basis) == (d * (d + 1) // 2 if tied else size)


@every_space
@given(d=st.integers(1, 4), seed=seeds)
def test_a_small_step_in_a_direction_stays_in_the_space(space: Space, d: int, seed: int) -> None:
    rng = generator(seed)
    point, E = space.draw(rng, d), space.direction(rng, d)
    assert space.contains(point + 1e-3 / (1 + np.abs(E).max()) * E * np.min(np.abs(point)[np.abs(point) > 0]))


@every_space
@pytest.mark.parametrize("d", [1, 2, 3, 12])
def test_entries_share_a_symbol_exactly_if_a_direction_ties_them(space: Space, d: int) -> None:
    entries = space.symbols("S", d)
    assert entries.shape == space.sides(d)
    assert entries.dtype == object
    free = {entry for entry in entries.flat if entry != 0}
    assert len(free) == len(space.basis(d))
    for B in space.basis(d):
        assert len(set(entries[B == 1])) == 1
    assert all(symbol.is_real for symbol in free)


def test_symbols_are_named_by_row_and_column() -> None:
    assert spaces.general.symbols("S", 2).tolist() == [
        list(sympy.symbols(row, real=True)) for row in ("S_11 S_12", "S_21 S_22")
    ]
    assert str(spaces.symmetric.symbols("S", 2)[1, 0]) == "S_12"
    assert str(spaces.lower.symbols("L", 2)[1, 0]) == "L_21"
    assert spaces.lower.symbols("L", 2)[0, 1] == 0
    assert str(spaces.vector.symbols("x", 2)[1]) == "x_2"
    assert str(spaces.positive.symbols("t", 2)) == "t"
    assert spaces.positive.symbols("t", 2)[()].is_positive


def test_names_of_symbols_do_not_run_together_from_dimension_ten_on() -> None:
    S = spaces.general.symbols("S", 12)
    assert str(S[0, 11]) == "S_1,12"
    assert str(S[10, 1]) == "S_11,2"
    assert S[0, 11] != S[10, 1]


OUTSIDE: list[tuple[Space, Any]] = [
    (spaces.vector, np.eye(2)),
    (spaces.general, np.ones(2)),
    (spaces.general, np.ones((2, 3))),
    (spaces.invertible, np.ones((2, 2))),
    (spaces.invertible, np.ones((2, 3))),
    (spaces.symmetric, np.array([[1.0, 2.0], [3.0, 4.0]])),
    (spaces.symmetric, np.ones((2, 3))),
    (spaces.positive_definite, np.diag([1.0, 0.0])),
    (spaces.positive_definite, -np.eye(2)),
    (spaces.positive_definite, np.array([[2.0, 1.0], [0.0, 2.0]])),
    (spaces.positive_definite, np.array([[1.0, 1.0], [1.0, 1 + 2**-52]])),  # by less than rounding
    (spaces.positive_definite, np.array([[1e-200, 1e-5], [0.0, 1e200]])),  # a correlation of 1e-5, or of 0
    (spaces.lower, np.array([[1.0, 1.0], [0.0, 1.0]])),
    (spaces.lower, -np.eye(2)),
    (spaces.lower, np.array([[1.0, 0.0], [1.0, 0.0]])),
    (spaces.lower, np.ones((2, 3))),
    (spaces.accretive, np.ones((2, 3))),
    (spaces.accretive, np.array([[0.0, 1.0], [-1.0, 0.0]])),
    (spaces.accretive, np.array([[1.0, 3.0], [0.0, 1.0]])),
    (spaces.positive, 0.0),
    (spaces.positive, -1.0),
    (spaces.number, np.ones(1)),
    (matrix("d", "d"), np.ones((2, 3))),
]


@pytest.mark.parametrize(("space", "point"), OUTSIDE)
def test_what_lies_outside_is_not_contained(space: Space, point: Any) -> None:
    assert space.contains(point) is False


@every_space
def test_a_space_is_called_symmetric_if_all_its_points_are(space: Space) -> None:
    """The matrix of zeros among them, of which no entry is large enough to compare with."""
    points = [np.asarray(space.draw(generator(seed), 3)) for seed in range(3)]
    assert space.symmetric == (len(space.shape) == 2 and all(spaces.symmetric.contains(A) for A in points))
    assert spaces.symmetric.contains(np.zeros((3, 3)))


@every_space
def test_what_is_no_finite_real_array_lies_in_no_space(space: Space) -> None:
    good = np.asarray(space.draw(generator(0), 2))
    nothing = [good + 0j, np.full(good.shape, np.nan), np.full(good.shape, np.inf), "S", None, [[1], [1, 2]]]
    nothing.append(np.ma.array(good, mask=True))
    if good.ndim:
        nothing.append(np.zeros((0,) * good.ndim))
    for bad in nothing:
        assert space.contains(bad) is False
    assert space.contains(good.tolist())


@every_space
def test_bad_arguments_are_refused_by_name(space: Space) -> None:
    rng = generator(0)
    for call in (lambda d: space.draw(rng, d), space.basis, space.sides, lambda d: space.symbols("S", d)):
        with pytest.raises(ValueError, match="d must be at least 1"):
            call(0)
        for bad in (2.0, "2", None, True):
            with pytest.raises(TypeError, match="d must be a whole number"):
                call(bad)
    for bad in (0, None, np.random.RandomState(0)):
        with pytest.raises(TypeError, match="rng must be a generator"):
            space.draw(bad, 2)
        with pytest.raises(TypeError, match="rng must be a generator"):
            space.direction(bad, 2)
    for bad in (0.5, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="condition must be"):
            space.draw(rng, 2, bad)


def test_a_space_is_found_by_its_name_with_blanks_or_underscores() -> None:
    assert SPACES["positive_definite"] is SPACES["positive definite"] is spaces.positive_definite
    assert SPACES["lower_triangular"] is spaces.lower
    assert list(SPACES) == list(dict.fromkeys(SPACES)), "the order does not depend on the hash seed"


def test_rectangular_sides_are_named() -> None:
    assert matrix("m", "d").sides(3) == (2, 3)
    assert matrix("d", "k").sides(3) == (3, 4)
    with pytest.raises(ValueError, match="columns must be one of 'd', 'm', 'k', but it is 'n'"):
        matrix("m", "n")


def test_the_eigenvalues_of_positive_definite_points_are_not_always_on_one_scale() -> None:
    smallest = [np.linalg.norm(spaces.positive_definite.draw(generator(seed), 3), -2) for seed in range(50)]
    assert min(smallest) < 0.8
    assert max(smallest) > 1.5


@conditioned
def test_the_singular_values_between_the_ends_are_evenly_spread_in_the_logarithm(space: Space) -> None:
    values = np.linalg.svd(space.draw(generator(0), 5, 1e4), compute_uv=False)
    assert np.allclose(values[:-1] / values[1:], 10)


def test_what_the_caller_asked_of_numpy_changes_no_membership() -> None:
    with np.errstate(all="raise"):
        assert spaces.positive_definite.contains(1e-320 * np.eye(2))
        assert not spaces.symmetric.contains([[1e300, 1.7e308], [-1.7e308, 1e300]])
