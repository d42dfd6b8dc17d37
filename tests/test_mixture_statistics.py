"""Statistics of an EM step: values that add, whatever the rows and however they are split."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable, Sequence
from fractions import Fraction
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_mixture import Parameters, draw
from tolerances import assert_close, rounding

from mvnlib import (
    CONVENTIONS,
    MixtureStatistics,
    NormalStatistics,
    em_step,
    fit_mixture,
    mixture_gradient,
    mixture_loglik,
)

sizes, components, seeds = st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1)


def taken(X: Any, parameters: Any) -> MixtureStatistics:
    return MixtureStatistics.from_data(X, *parameters)


def assert_same_step(one: MixtureStatistics, other: MixtureStatistics, far: float = 0.0) -> None:
    """Log-likelihood and next parameters are equal up to rounding, which is larger far from the origin."""
    (w, m, S, value), (w2, m2, S2, value2) = one.em_step(), other.em_step()
    assert one.n == other.n
    assert abs(value - value2) <= rounding(100) * (one.n + abs(value2))
    assert np.abs(w - w2).max() <= rounding(100)
    for k in np.flatnonzero(w2 > 1e-3 / one.n):
        deviations = np.sqrt(np.diagonal(S2[k])) + np.finfo(float).tiny
        spread = deviations + np.abs(m2[k] - other.means[k])
        assert (np.abs(m - m2)[k] <= rounding(100) * spread + 4 * np.finfo(float).eps * far).all()
        assert (np.abs(S - S2)[k] <= rounding(1e3) * np.outer(spread, spread)).all()


def pieces(X: np.ndarray, cuts: Sequence[int]) -> list[np.ndarray]:
    return [part for part in np.split(X, sorted(c % (len(X) + 1) for c in cuts)) if len(part)]


# What follows from them


@given(d=sizes, K=components, seed=seeds, n=st.integers(1, 30))
def test_the_functions_are_those_of_the_statistics(d: int, K: int, seed: int, n: int) -> None:
    X, parameters = draw(n, d, K, seed)
    found = taken(X, parameters)
    assert found.n == n
    assert_close(found.loglik, mixture_loglik(X, *parameters), rounding())
    for mine, theirs in zip(found.em_step(), em_step(X, *parameters), strict=True):
        assert np.array_equal(mine, theirs)
    for convention in CONVENTIONS:
        for mine, theirs in zip(
            found.loglik_gradient(convention=convention),
            mixture_gradient(X, *parameters, convention=convention),
            strict=True,
        ):
            assert np.array_equal(mine, theirs)
    for mine, theirs in zip((found.weights, found.means, found.covariances), parameters, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("far", [0.0, 1.0, 1e4, 1e8, 1e12, 1e15])
@pytest.mark.parametrize("start", [0.0, 1.0, 1e3, 1e6, 1e12])
def test_one_component_has_the_moments_of_exact_fractions_wherever_it_starts(
    far: float, start: float
) -> None:
    """``start``, in standard deviations, is how far the old mean is from the rows."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((40, 2)) * [1e-2, 1e2] + far
    mean = np.array([far + 1e-2 * start, far - 1e2 * start])
    columns = [[Fraction(float(x)) for x in column] for column in X.T]
    centre = [sum(column) / 40 for column in columns]
    exact = [
        [float(sum((a - centre[i]) * (b - centre[j]) for a, b in zip(columns[i], columns[j], strict=True)) / 40)
         for j in (0, 1)]
        for i in (0, 1)
    ]  # fmt: skip
    parts = pieces(X, [7, 8, 30])
    for found in (taken(X, ([1.0], [mean], [np.diag([1e-4, 1e4])])),
                  sum(taken(part, ([1.0], [mean], [np.diag([1e-4, 1e4])])) for part in parts)):  # fmt: skip
        weights, means, covariances, _ = found.em_step()
        deviations = np.sqrt(np.diagonal(exact))
        assert weights.tolist() == [1.0]
        assert (
            np.abs(means[0] - np.array(centre, dtype=float)) <= rounding(units=4) * (deviations + far)
        ).all()
        assert (np.abs(covariances[0] - exact) <= rounding() * np.outer(deviations, deviations)).all()


def test_an_unknown_convention_is_answered_with_the_known_ones() -> None:
    some = taken(*draw(5, 2, 2, 0))
    with pytest.raises(ValueError, match=r"^convention must be one of 'entrywise', 'frobenius', 'free'"):
        some.loglik_gradient(convention="paired")


# Laws of adding


@given(
    n=st.integers(2, 60),
    d=sizes,
    K=components,
    seed=seeds,
    cuts=st.lists(st.integers(0, 60), max_size=8),
    exponent=st.integers(-3, 9),
)
def test_the_sum_over_any_split_is_the_whole(
    n: int, d: int, K: int, seed: int, cuts: list[int], exponent: int
) -> None:
    X, (weights, means, covariances) = draw(n, d, K, seed)
    far = 10.0**exponent
    parameters = (weights, means + far, covariances)
    X += far
    whole = taken(X, parameters)
    assert_same_step(sum(taken(part, parameters) for part in pieces(X, cuts)), whole, far)
    assert_same_step(sum(taken(row[None], parameters) for row in X), whole, far)


@given(n=st.integers(3, 30), d=sizes, K=components, seed=seeds)
def test_the_gradient_of_a_sum_is_the_sum_of_the_gradients(n: int, d: int, K: int, seed: int) -> None:
    X, parameters = draw(n, d, K, seed)
    one, two = taken(X[: n // 2], parameters), taken(X[n // 2 :], parameters)
    size = rounding(100) * (1 + np.abs(X).max() ** 2) * n
    for total, a, b in zip(
        (one + two).loglik_gradient(), one.loglik_gradient(), two.loglik_gradient(), strict=True
    ):
        assert np.abs(total - (a + b)).max() <= size * (1 + np.abs(np.linalg.inv(parameters[2])).max() ** 2)


@given(d=sizes, K=components, seed=seeds)
def test_adding_is_commutative_and_up_to_rounding_associative(d: int, K: int, seed: int) -> None:
    X, parameters = draw(30, d, K, seed)
    a, b, c = (taken(part, parameters) for part in (X[:4], X[4:20], X[20:]))
    for mine, theirs in zip((a + b).em_step(), (b + a).em_step(), strict=True):
        assert np.array_equal(mine, theirs)
    assert_same_step((a + b) + c, a + (b + c))


def test_clusters_far_apart_add_their_distance() -> None:
    """The covariance between two means is the product of the shares times the outer product of the gap."""
    parameters = ([1.0], [[4.0]], [[[9.0]]])
    total = taken([[0.0], [2.0]], parameters) + taken([[9.0]], parameters)
    weights, means, covariances, _ = total.em_step()
    assert total.n == 3
    assert_close(weights, [1.0], rounding())
    assert_close(means, [[11 / 3]], rounding())
    assert_close(covariances, [[[(2 + 2 / 3 * 8**2) / 3]]], rounding())


def test_one_component_adds_as_the_normal_distribution_does() -> None:
    X, parameters = draw(50, 3, 1, 5)
    parts = pieces(X, [3, 4, 40])
    normal = sum(NormalStatistics.from_data(part) for part in parts)
    _, means, covariances, _ = sum(taken(part, parameters) for part in parts).em_step()
    assert_close(means[0], normal.mean, rounding())
    assert_close(covariances[0], normal.scatter / normal.n, rounding())


def test_a_component_seen_by_one_part_only_is_that_of_this_part() -> None:
    """Two clusters so far apart that neither sees the other's component at all; and one that nobody sees."""
    rng = np.random.default_rng(2)
    near, there = rng.standard_normal((9, 2)), rng.standard_normal((7, 2)) + 1e3
    weights = np.array([0.3, 0.3, 0.2, 0.2])
    means = np.array([[0.0, 0.0], [1e3, 1e3], [-1e5, 0.0], [0.0, 0.0]])
    weights[3] = 0.0
    parameters = (weights, means, np.stack([np.eye(2)] * 4))
    parts = [taken(near, parameters), taken(there, parameters)]
    for total in (parts[0] + parts[1], parts[1] + parts[0]):
        new = total.em_step()
        assert new[0].tolist() == [9 / 16, 7 / 16, 0.0, 0.0]
        for k, part in enumerate(parts):
            _, m, S, _ = part.em_step()
            assert np.array_equal(new[1][k], m[k])
            assert np.array_equal(new[2][k], S[k])
        assert np.array_equal(new[1][2:], means[2:])
        assert np.array_equal(new[2][2:], parameters[2][2:])


def test_rows_that_are_alike_have_no_covariance_however_they_are_split() -> None:
    """Alike in a point, or in one column."""
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.standard_normal((20, 2)), np.full((10, 2), 50 + 1 / 7)])
    parameters = ([0.5, 0.5], [[0.0, 0.0], [50.0, 50.0]], [np.eye(2), np.eye(2)])
    for parts in ([X], pieces(X, [22, 27]), list(X[:, None])):
        new = sum(taken(part, parameters) for part in parts).em_step()
        assert not new[2][1].any()
        assert new[1][1].tolist() == [50 + 1 / 7] * 2
    X = rng.standard_normal((20, 3))
    X[:, 1] = 0.1
    parameters = ([1.0], np.array([[0.0, 1.0, 0.0]]), [np.eye(3)])
    for parts in ([X], pieces(X, [5, 6, 12]), list(X[:, None])):
        _, means, covariances, _ = sum(taken(part, parameters) for part in parts).em_step()
        assert means[0, 1] == 0.1
        assert not covariances[0, 1].any()
        assert not covariances[0, :, 1].any()


def test_nothing_at_all_added_changes_nothing() -> None:
    some = taken(*draw(5, 2, 2, 0))
    assert 0 + some is some
    assert sum([some]) is some


@pytest.mark.parametrize("other", [1, 1.0, 0.0, None, "5", np.eye(2), np.float64(0), [1.0, 2.0], {"n": 5}])
def test_only_statistics_add(other: Any) -> None:
    some = taken(*draw(5, 2, 2, 0))
    with pytest.raises(TypeError):
        some + other
    with pytest.raises(TypeError):
        other + some


@pytest.mark.parametrize("name", ["weights", "means", "covariances"])
def test_statistics_at_different_parameters_do_not_add(name: str) -> None:
    X, parameters = draw(8, 2, 2, 0)
    changed = dict(zip(("weights", "means", "covariances"), (p.copy() for p in parameters), strict=True))
    changed[name][-1] *= 1 + 1e-15
    assert not np.array_equal(changed[name], parameters[("weights", "means", "covariances").index(name)])
    with pytest.raises(ValueError, match=f"different {name} do not add"):
        taken(X, parameters) + taken(X, changed.values())


@pytest.mark.parametrize(("d", "K"), [(3, 2), (2, 3)])
def test_statistics_of_different_mixtures_do_not_add(d: int, K: int) -> None:
    with pytest.raises(ValueError, match=r"of shape .* do not add"):
        taken(*draw(5, 2, 2, 0)) + taken(*draw(5, d, K, 0))


def test_statistics_are_values_that_nothing_changes() -> None:
    X, parameters = draw(9, 2, 2, 0)
    X[4:] += 30
    one, two = taken(X[:4], parameters), taken(X[4:], parameters)
    before = [*one.em_step(), *two.em_step(), *(one + two).em_step()]
    total = one + two
    for part in (*parameters, X, *total.em_step()[:3], *total.loglik_gradient()):
        part[...] = np.nan
    for mine, kept in zip([*one.em_step(), *two.em_step(), *total.em_step()], before, strict=True):
        assert np.array_equal(mine, kept)
    with pytest.raises(AttributeError):
        one.n = 3  # type: ignore[misc]
    assert one == one
    assert one != two  # the one is not the other; nor is it an error


def test_the_gradient_is_asked_for_as_that_of_normal_statistics_is() -> None:
    mine, theirs = (
        signature(kind.loglik_gradient).parameters["convention"]
        for kind in (MixtureStatistics, NormalStatistics)
    )
    assert mine == theirs
    with pytest.raises(TypeError):
        taken(*draw(9, 2, 3, 0)).loglik_gradient("free")  # type: ignore[misc]


@pytest.mark.parametrize("way", [lambda s: s, lambda s: s + s, lambda s: pickle.loads(pickle.dumps(s))])
def test_the_arrays_of_statistics_cannot_be_written_to(
    way: Callable[[MixtureStatistics], MixtureStatistics],
) -> None:
    X, parameters = draw(9, 2, 3, 0)
    some = way(taken(X, parameters))
    for array in (some.weights, some.means, some.covariances, *vars(some.moments).values()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9
    assert all(array.flags.writeable for array in (X, *map(np.asarray, parameters), *some.em_step()[:3]))


def test_statistics_can_be_sent_to_another_process() -> None:
    X, parameters = draw(9, 2, 3, 0)
    some = taken(X, parameters)
    sent = pickle.loads(pickle.dumps(some))
    for mine, theirs in zip((sent + some).em_step(), (some + some).em_step(), strict=True):
        assert np.array_equal(mine, theirs)
    for mine, theirs in zip(
        sent.loglik_gradient(convention="free"), some.loglik_gradient(convention="free"), strict=True
    ):
        assert np.array_equal(mine, theirs)
    assert abs(len(pickle.dumps(taken(np.tile(X, (1000, 1)), parameters))) - len(pickle.dumps(some))) < 9


# Files


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_a_file_is_fitted_without_being_loaded(tmp_path: Path, dtype: type) -> None:
    """16 MB or less of rows, in the memory of a few chunks: the file given whole, and chunk by chunk."""
    n, d, K = 200_000, 10, 3
    X, parameters = draw(n, d, K, 6)
    file = np.lib.format.open_memmap(tmp_path / "rows.npy", mode="w+", dtype=dtype, shape=(n, d))
    file[:] = np.round(100 * X) if dtype is np.int16 else X
    if dtype is np.int16:
        parameters = (parameters[0], 100 * parameters[1], 1e4 * parameters[2])
    file.flush()
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    in_memory = taken(np.array(file, dtype=float), parameters)
    del X
    tracemalloc.start()
    whole = taken(rows, parameters)
    chunked = sum(taken(rows[start : start + 30_000], parameters) for start in range(0, n, 30_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e7
    for mine, theirs in zip(whole.em_step(), in_memory.em_step(), strict=True):
        assert np.array_equal(mine, theirs)
    assert_same_step(chunked, whole)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16, np.uint8])
def test_a_whole_fit_reads_a_file_of_any_type_where_it_lies(tmp_path: Path, dtype: type) -> None:
    """It takes two numbers a row, and the chunks of a step: 3.2 MB and 5 MB, where the rows as floats are 16."""
    n, d, K = 200_000, 10, 3
    X, _ = draw(n, d, K, 6)
    file = np.lib.format.open_memmap(tmp_path / "rows.npy", mode="w+", dtype=dtype, shape=(n, d))
    file[:] = X if np.issubdtype(dtype, np.floating) else np.clip(np.round(10 * X + 128), 0, 255)
    file.flush()
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    options = {"max_iter": 2}
    in_memory = fit_mixture(np.array(file, dtype=float), K, rng=np.random.default_rng(0), **options)
    del X, file
    tracemalloc.start()
    found = fit_mixture(rows, K, rng=np.random.default_rng(0), **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e7
    assert found == in_memory


def test_a_fit_by_hand_in_chunks_is_the_fit(tmp_path: Path) -> None:
    X, _ = draw(3000, 2, 3, 9)
    starts: list[Parameters] = []
    options = {"tol": 1e-300, "max_iter": 20}
    whole = fit_mixture(
        X, 3, rng=np.random.default_rng(0), callback=lambda i, p, v: bool(starts.append(p)), **options
    )
    parameters: Any = starts[0]
    for _ in range(20):
        *parameters, value = sum(taken(part, parameters) for part in np.array_split(X, 7)).em_step()
    assert_close(value, whole.history[19], rounding(1e3))
    for mine, theirs in zip(parameters, (whole.weights, whole.means, whole.covariances), strict=True):
        assert_close(mine, theirs, 1e-9)


# What is no float


def test_rows_so_spread_that_their_covariance_overflows_are_refused() -> None:
    wide = ([1.0], [[0.0]], [[[1e300]]])
    with pytest.raises(ValueError, match=r"^X is too large: the covariances of its rows overflow"):
        taken([[1e170], [-1e170], [0.0]], wide)
    with pytest.raises(ValueError, match="rows so far apart do not add"):
        taken([[1e170]], wide) + taken([[-1e170]], wide)
    far = taken([[1.3e154]], ([1.0], [[0.0]], [[[1.0]]]))
    with pytest.raises(ValueError, match="log-likelihood is no float"):
        far + far + far
    with pytest.raises(ValueError, match="log-likelihood is no float"):
        taken([[1.3e154]] * 3, ([1.0], [[0.0]], [[[1.0]]]))
    assert np.isfinite(taken([[1e153], [-1e153]], wide).em_step()[2]).all()


def test_rows_that_vary_so_little_that_their_covariance_underflows_have_no_step() -> None:
    narrow = ([1.0], [[0.0]], [[[1e-300]]])
    X = np.array([[1e-157], [-1e-157], [2e-157]])
    some = taken(X, narrow)
    assert np.isfinite(some.loglik)
    with pytest.raises(ValueError, match=r"^X varies so little that a covariance underflows"):
        some.em_step()
    _, _, covariances, _ = taken(1e6 * X, narrow).em_step()
    assert_close(covariances[0], np.cov(1e6 * X.T, bias=True).reshape(1, 1), rounding())
    # A collapsed component may be as small: nothing but rounding, eps of a deviation, says how far its rows are
    # apart.
    for before in (1.0, 1e-278):
        _, _, covariances, _ = taken([[1e-157], [-1e-157]], ([1.0], [[0.0]], [[[before]]])).em_step()
        assert covariances[0, 0, 0] < 1e-300
    with pytest.raises(ValueError, match=r"^X varies so little that a covariance underflows"):
        taken([[1e-157], [-1e-157]], ([1.0], [[0.0]], [[[1e-286]]])).em_step()


def test_a_gradient_that_is_no_float_is_refused() -> None:
    X = np.linspace(-1, 1, 40)[:, None]
    with pytest.raises(
        ValueError, match=r"^covariances\[1\] is so small that the gradient in covariances\[1\]"
    ):
        taken(1e-153 * X, ([0.5, 0.5], [[0.0], [0.0]], [[[1e-300]], [[3e-308]]])).loglik_gradient()
    # A component is named for one entry that is no float, be the others what they may.
    wide = 1e-153 * X * [1.0, 1e153], np.array([np.diag([1e-300, 1.0]), np.diag([3e-308, 1.0])])
    with pytest.raises(ValueError, match=r"the gradient in covariances\[1\]"):
        taken(wide[0], ([0.5, 0.5], np.zeros((2, 2)), wide[1])).loglik_gradient()
    with pytest.raises(ValueError, match=r"^covariances\[0\] is so small that the gradient in means\[0\]"):
        taken([[0.5]] * 40, ([1.0], [[0.0]], [[[1e-307]]])).loglik_gradient()
    with pytest.raises(ValueError, match=r"^weights\[0\] is so small that the gradient in weights"):
        taken(np.tile(X, (10, 1)), ([1e-307], [[0.0]], [[[1.0]]])).loglik_gradient()


def test_a_weight_so_small_that_responsibilities_underflow_has_no_slope() -> None:
    """Equal components: each slope is n over the sum of the weights, as long as the share of the small one is
    a number with digits."""
    X = np.linspace(-1, 1, 10)[:, None]
    equal = ([[0.0], [0.0]], [[[1.0]], [[1.0]]])
    for small in (1e-3, 1e-287):
        for scale in (1.0, 1e-20):
            slopes, *_ = taken(X, (scale * np.array([1.0, small]), *equal)).loglik_gradient()
            assert_close(slopes, np.full(2, 10 / (scale * (1 + small))), rounding(10))
    for scale in (1.0, 1e100):
        with pytest.raises(ValueError, match=r"^weights\[1\] = .* is so small beside the others"):
            taken(X, (scale * np.array([1.0, 1e-290]), *equal)).loglik_gradient()
