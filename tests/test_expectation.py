"""The E step: its fast form is used where it is exact, and the safe one where it would not be."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_mixture import Parameters, draw
from tolerances import assert_close, rounding

from mvnlib import (
    MixtureStatistics,
    em_step,
    mixture_gradient,
    mixture_loglik,
    responsibilities,
    spaces,
)
from mvnlib._scaling import exact_sum, inverse_of_lower
from mvnlib.mixture import expectation, fast_form
from mvnlib.mixture.components import buffer_length, checked
from mvnlib.mixture.fast_form import LIMIT, Natural
from mvnlib.mixture.moments import Moments
from mvnlib.mixture.safe_form import Centred, Whitened

sizes, seeds = st.integers(1, 5), st.integers(0, 2**32 - 1)


def apart(
    n: int, d: int, K: int, seed: int, distance: float, condition: float = 3.0
) -> tuple[np.ndarray, Parameters]:
    """Rows of K components whose means are ``distance`` standard deviations from each other."""
    rng = np.random.default_rng(seed)
    covariances = np.stack([spaces.positive_definite.draw(rng, d, condition) for _ in range(K)])
    directions = rng.standard_normal((K, d))
    means = distance * directions / np.linalg.norm(directions, axis=1)[:, None]
    roots = np.linalg.cholesky(covariances)
    kinds = rng.integers(K, size=n)
    X = means[kinds] + np.einsum("nij,nj->ni", roots[kinds], rng.standard_normal((n, d)))
    return X, (rng.dirichlet(np.ones(K)) + 0.01, means + 0.1, covariances)


def by(form: Any, X: np.ndarray, parameters: Parameters) -> tuple[float, np.ndarray, Moments]:
    """Log-likelihood, log densities (K, n) and moments in one form, used whatever it says."""
    components = checked(*parameters)
    one = form(components, len(X))
    one.takes(X)
    logs = np.concatenate([part.copy() for _, part in one.log_densities()], axis=1)
    value, moments = expectation._sums(X, [form(components, len(X))])
    return value, logs, moments


def exact_log_densities(X: np.ndarray, parameters: Parameters) -> np.ndarray:
    """log w N(x | mu, Sigma) by elimination in long double, (K, n)."""
    weights, means, covariances = (np.asarray(part, dtype=np.longdouble) for part in parameters)
    logs = []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        S, Y = covariance.copy(), (X.astype(np.longdouble) - mean).T.copy()
        value = np.log(weight) * np.ones(len(X), dtype=np.longdouble)
        for i in range(len(S)):  # L D L^T, and the forward substitution with it
            value -= (np.log(2 * np.longdouble(np.pi)) + np.log(S[i, i]) + Y[i] ** 2 / S[i, i]) / 2
            factor = S[i + 1 :, i] / S[i, i]
            Y[i + 1 :] -= factor[:, None] * Y[i]
            S[i + 1 :, i + 1 :] -= factor[:, None] * S[i, i + 1 :]
        logs.append(value)
    return np.array(logs)


# The fast form


@given(d=sizes, K=st.integers(1, 4), seed=seeds, exponent=st.floats(-1, 3.5), condition=st.floats(0, 4))
def test_its_log_densities_are_right_to_a_few_eps_times_the_terms_that_cancel(
    d: int, K: int, seed: int, exponent: float, condition: float
) -> None:
    X, parameters = apart(40, d, K, seed, 10**exponent, 10**condition)
    components = checked(*parameters)
    form = Natural(components, len(X))
    form.takes(X)
    logs = next(form.log_densities())[1]
    exact = exact_log_densities(X, parameters)
    terms = (form.sizes @ np.maximum(np.abs(form.block).max(axis=1), form.reach)) ** 2
    # The covariance itself, rounded, says no more of a row than this: it is the error of any form.
    own = 4 * np.finfo(float).eps * 10**condition * np.abs(exact)
    assert (np.abs(logs - exact) <= 8 * np.finfo(float).eps * (100 + terms.sum(axis=1)[:, None]) + own).all()


@given(d=sizes, K=st.integers(1, 4), seed=seeds, exponent=st.floats(-1, 8), condition=st.floats(0, 8))
def test_log_likelihood_and_step_are_those_of_the_safest_form(
    d: int, K: int, seed: int, exponent: float, condition: float
) -> None:
    """Whichever form is chosen, at any distance and condition number."""
    X, parameters = apart(60, d, K, seed, 10**exponent, 10**condition)
    value, logs, moments = by(Centred, X, parameters)
    found = MixtureStatistics.from_data(X, *parameters)
    assert abs(found.loglik - value) <= 1e-10 * (60 + abs(value))
    assert abs(mixture_loglik(X, *parameters) - value) <= 1e-10 * (60 + abs(value))
    sharp = np.abs(np.diff(np.sort(logs, axis=0), axis=0)).min(initial=np.inf) > 1e-3  # no row in the balance
    error = 1e-9 * (1 if sharp else 10**condition)
    assert np.abs(found.moments.counts - moments.counts).max() <= error * 60
    for k in np.flatnonzero(moments.counts > d + 2):
        root = np.linalg.cholesky(moments.covariances[k])
        gap = found.moments.covariances[k] - moments.covariances[k]
        assert np.abs(np.linalg.solve(root, np.linalg.solve(root, gap).T)).max() <= error * 10**condition
        gap = found.moments.shifts[k] - moments.shifts[k]
        assert np.abs(np.linalg.solve(root, gap)).max() <= error * 10**condition


@pytest.mark.parametrize("distance", [1.0, 10.0, 50.0, 100.0, 150.0, 1e3, 1e5, 1e7])
def test_a_step_is_right_in_fifty_digits_up_to_the_limit_and_beyond(distance: float) -> None:
    X, parameters = apart(30, 2, 2, 3, distance)
    weights, means, covariances, value = em_step(X, *parameters)
    with mpmath.workdps(50):
        logs = [[mpmath.mpf(0)] * len(X) for _ in range(2)]
        for k, (w, m, S) in enumerate(zip(*parameters, strict=True)):
            S = mpmath.matrix(S.tolist())
            P, scale = (
                mpmath.inverse(S),
                mpmath.log(mpmath.mpf(float(w)) / (2 * mpmath.pi * mpmath.sqrt(mpmath.det(S)))),
            )
            for a, x in enumerate(X):
                y = mpmath.matrix(
                    [mpmath.mpf(float(u)) - mpmath.mpf(float(v)) for u, v in zip(x, m, strict=True)]
                )
                logs[k][a] = scale - (y.T * P * y)[0] / 2
        total = [mpmath.log(mpmath.exp(one) + mpmath.exp(two)) for one, two in zip(*logs, strict=True)]
        assert abs(value - float(sum(total))) <= 1e-12 * abs(value)
        for k in range(2):
            r = [mpmath.exp(log - t) for log, t in zip(logs[k], total, strict=True)]
            N = sum(r)
            rows = [mpmath.matrix(x.tolist()) for x in X]
            mean = sum((w * x for w, x in zip(r, rows, strict=True)), mpmath.zeros(2, 1)) / N
            second = mpmath.zeros(2, 2)
            for w, x in zip(r, rows, strict=True):
                second += w * (x - mean) * (x - mean).T / N
            exact = np.array(second.tolist(), dtype=float)
            assert_close(weights[k], float(N / 30), 1e-11)
            assert (
                np.abs(means[k] - np.array(mean.tolist(), dtype=float).ravel()).max()
                <= 1e-13 * distance + 1e-12
            )
            assert_close(covariances[k], exact, 1e-11)


@pytest.mark.parametrize(
    ("distance", "least", "most"), [(30.0, 0, 1e-12), (1e4, 1e-10, 1e-6), (1e6, 1e-6, 1)]
)
def test_without_its_limit_the_fast_form_would_be_wrong(
    monkeypatch: pytest.MonkeyPatch, distance: float, least: float, most: float
) -> None:
    X, parameters = apart(400, 3, 2, 5, distance)
    value, _, moments = by(Centred, X, parameters)
    right = MixtureStatistics.from_data(X, *parameters)
    monkeypatch.setattr(fast_form, "LIMIT", np.inf)
    wrong = MixtureStatistics.from_data(X, *parameters)
    assert_close(right.moments.covariances, moments.covariances, 1e-12)
    assert abs(right.loglik - value) <= 1e-12 * abs(value)
    assert least <= np.abs(wrong.moments.covariances - moments.covariances).max() <= most


def test_it_takes_what_is_near_and_nothing_else() -> None:
    X, parameters = apart(50, 3, 2, 7, 10.0)
    components = checked(*parameters)

    def takes(rows: np.ndarray, others: Any = components) -> bool:
        with np.errstate(all="ignore"):
            return Natural(others, len(rows)).takes(rows)

    assert takes(X)
    for bad in (np.nan, np.inf, -np.inf, 1e3, -1e3, 1e300):
        for a, j in ((0, 0), (20, 1), (49, 2)):
            spoilt = X.copy()
            spoilt[a, j] = bad
            assert not takes(spoilt)
    assert not takes(X, checked(parameters[0], parameters[1] + [[0.0], [1e4]], parameters[2]))
    assert not takes(X, checked(parameters[0], parameters[1], 1e-6 * parameters[2]))
    narrow = parameters[2].copy()
    narrow[1] = [[1.0, 0.9999999, 0.0], [0.9999999, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert not takes(X, checked(parameters[0], parameters[1], narrow))


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("who", ["a row", "a mean"])
def test_its_limit_is_where_it_says(who: str, sign: float, factor: float) -> None:
    """A row, or a mean that no row is near, moved out until the terms that cancel are a little below the limit,
    or a little above.  The coordinates are correlated: the terms themselves cancel in part, their sizes do not."""
    covariances = np.array([[[1.0, 0.9], [0.9, 1.0]], [[1.0, -0.5], [-0.5, 4.0]]])
    weights, means, X = np.array([3.0, 1.0]), np.zeros((2, 2)), np.array([[0.1, 0.0], [-0.1, 0.2]])

    def terms() -> float:
        centre = weights @ means / weights.sum()
        reach = np.abs(np.concatenate([X, means]) - centre).max(axis=0)
        return max(
            float(((np.abs(np.linalg.inv(np.linalg.cholesky(S))) @ reach) ** 2).sum()) for S in covariances
        )

    moved = X if who == "a row" else means
    moved[1] = [sign, 0.5 * sign]
    for _ in range(8):
        moved[1] *= np.sqrt(factor * LIMIT / terms())
    assert terms() == pytest.approx(factor * LIMIT)
    assert Natural(checked(weights, means, covariances), len(X)).takes(X) == (factor < 1)


def test_it_is_used_where_it_pays() -> None:
    for n, d, K, pays in [
        (10_000, 2, 3, True), (100_000, 10, 8, True), (200_000, 32, 16, True), (100, 1, 1, True),
        (100, 40, 14, True), (100, 41, 16, False), (100, 40, 13, False), (3, 3, 3, False), (4, 3, 3, True),
    ]:  # fmt: skip
        assert Natural.pays(n, d, K) == pays
    X, parameters = apart(50, 2, 2, 1, 3.0)
    forms = expectation._forms(X, checked(*parameters))
    assert [type(form) for form in forms] == [Natural, Whitened]


def test_every_row_is_in_one_form_and_the_forms_add(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of eight rows; one far row sends its own block to the safe form, and no other."""
    monkeypatch.setattr(expectation, "_CHUNK_BYTES", 8)
    X, parameters = apart(50, 2, 2, 2, 3.0)
    X[19] = 1e4
    components = checked(*parameters)
    with np.errstate(all="ignore"):
        forms = expectation._forms(X, components)
        chosen = [type(form) for _, _, _, form in expectation._chunks(X, forms)]
        assert chosen == [Natural, Natural, Whitened, Natural, Natural, Natural, Natural]
        value, logs, moments = by(Centred, X, parameters)
    found = MixtureStatistics.from_data(X, *parameters)
    assert_close(found.loglik, value, 1e-13)
    for name in ("counts", "shifts", "covariances"):
        assert_close(getattr(found.moments, name), getattr(moments, name), 1e-12)
    r = np.exp(logs - logs.max(axis=0))
    assert np.abs(responsibilities(X, *parameters) - (r / r.sum(axis=0)).T).max() <= 1e-12


# What shows only in the end


def refused(form: Any, X: np.ndarray, parameters: Parameters) -> bool:
    with np.errstate(all="ignore"):
        components = checked(*parameters)
        one = form(components, len(X))
        assert one.takes(X)
        return expectation._sums(X, [one])[1] is None


COLLAPSES = {
    "a point": np.zeros((9, 2)),
    "almost a point": 1e-6 * np.random.default_rng(0).standard_normal((9, 2)),
    "a line": np.outer(np.linspace(-1, 1, 9), [1.0, 2.0]),
    "almost a line": np.outer(np.linspace(-1, 1, 9), [1.0, 2.0])
    + 1e-6 * np.random.default_rng(0).standard_normal((9, 2)),
}


@pytest.mark.parametrize("shape", COLLAPSES)
def test_a_component_about_to_collapse_is_looked_at_more_closely(shape: str) -> None:
    """Nine rows become small or flat at 30 deviations from the rest: the fast form has lost their covariance."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.standard_normal((40, 2)), [60.0, 20.0] + COLLAPSES[shape]])
    parameters = (np.array([0.8, 0.2]), np.array([[0.0, 0.0], [59.5, 20.5]]), np.stack([np.eye(2)] * 2))
    assert refused(Natural, X, parameters)
    found, exact = em_step(X, *parameters)[2][1], np.cov(X[40:].T, bias=True)
    if shape == "a point":
        assert not found.any()
    else:
        assert_close(found, exact, rounding(60))
    if "almost" in shape:
        assert_close(np.linalg.eigvalsh(found)[0], np.linalg.eigvalsh(exact)[0], 1e-3)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_component_that_shrinks_is_looked_at_more_closely_from_the_limit_on(factor: float) -> None:
    """A covariance C is known to eps times the sum of abs(C^-1)_ij q_i q_j, with q the root mean squares about
    the centre; the rows of the second component are drawn together until this is at the limit."""
    rng = np.random.default_rng(2)
    near, there = rng.standard_normal((40, 2)), rng.standard_normal((9, 2)) @ [[1.0, 0.4], [0.0, 0.2]]
    weights, means = np.array([1.5, 0.5]), np.array([[0.0, 0.0], [60.0, -20.0]])
    centre = weights @ means / weights.sum()

    def lost(spread: float) -> float:
        q = np.sqrt(((means[1] + spread * there - centre) ** 2).mean(axis=0))
        return float((np.abs(np.linalg.inv(np.cov(spread * there.T, bias=True))) * np.outer(q, q)).sum())

    spread = 1.0
    for _ in range(8):
        spread *= np.sqrt(lost(spread) / (factor * LIMIT))
    assert lost(spread) == pytest.approx(factor * LIMIT)
    X, parameters = (
        np.concatenate([near, means[1] + spread * there]),
        (weights, means, np.stack([np.eye(2)] * 2)),
    )
    assert refused(Natural, X, parameters) == (factor > 1)
    assert_close(em_step(X, *parameters)[2][1], np.cov(X[40:].T, bias=True), 1e-10)


def test_a_mean_that_jumps_is_looked_at_more_closely() -> None:
    """In the whitened form, once it moves more than a deviation: the digits of the variance would go with it."""
    X, (weights, _, covariances) = apart(60, 2, 1, 4, 1.0)
    for jump, lost in ((0.9, False), (1.1, True), (1e9, True)):
        parameters = (
            weights,
            X.mean(axis=0) + jump * np.sqrt(np.diagonal(covariances[0])) * [[1, -1]],
            covariances,
        )
        assert refused(Whitened, X, parameters) == lost
        assert_close(em_step(X, *parameters)[2][0], np.cov(X.T, bias=True), rounding(10))


def test_shares_that_underflow_are_looked_at_more_closely() -> None:
    """A weight of 1e-280 times squares of 1e-24 is no float with digits; the mean and the variance are."""
    X = 1e-12 * np.random.default_rng(1).standard_normal((20, 1))
    parameters = (np.array([1.0, 1e-290]), np.zeros((2, 1)), np.full((2, 1, 1), 1e-24))
    assert refused(Whitened, X, parameters)
    for scale in (1.0, 1e12):
        scaled = (parameters[0], parameters[1], parameters[2] * scale**2)
        _, means, covariances, _ = em_step(scale * X, *scaled)
        for k in (0, 1):
            assert_close(means[k], scale * X.mean(axis=0), rounding(10))
            assert_close(covariances[k], [[(scale * X).var()]], rounding(10))
    # So in the fast form, where the unit is a deviation far larger than the spread of the rows.
    wide = (parameters[0], np.zeros((2, 1)), np.ones((2, 1, 1)))
    assert refused(Natural, X, wide)
    assert_close(em_step(X, *wide)[2], np.full((2, 1, 1), X.var()), rounding(10))
    # The same where the unit is the spread: there the shares decide.
    assert not refused(Natural, 1e12 * X, (np.array([1.0, 1e-280]), np.zeros((2, 1)), np.ones((2, 1, 1))))


def test_what_has_lost_digits_is_found_once_more_in_every_form() -> None:
    """A constant column beside one that varies, on the old mean and off it."""
    rng = np.random.default_rng(8)
    X = np.column_stack([rng.standard_normal(50), np.full(50, 0.1)])
    for mean in (0.1, 0.0, -20.0):
        parameters = (np.ones(1), np.array([[0.0, mean]]), np.eye(2)[None])
        _, means, covariances, _ = em_step(X, *parameters)
        assert means[0, 1] == 0.1
        assert not covariances[0, 1].any()
        assert_close(covariances[0, 0, 0], X[:, 0].var(), rounding())


@pytest.mark.parametrize("form", [Natural, Whitened, Centred])
def test_of_a_component_without_rows_all_moments_are_zero(form: Any) -> None:
    """One that no row can see, in each form, and one without weight."""
    X, (_, means, covariances) = apart(20, 2, 2, 3, 1.0)
    means[1] += 100.0
    with np.errstate(all="ignore"):
        _, _, moments = by(form, X, (np.array([0.5, 0.5]), means, covariances))
    weightless = MixtureStatistics.from_data(X, [1.0, 0.0], means, covariances).moments
    for found in (moments, moments + moments, weightless, weightless + weightless):
        assert found.counts[0] > 0
        assert found.counts[1] == 0
        for part in (found.shifts, found.rests, found.covariances):
            assert not part[1].any()


@pytest.mark.parametrize("form", [Natural, Whitened, Centred])
def test_covariances_are_symmetric_to_the_last_digit(form: Any) -> None:
    for d in (2, 3, 7, 16):
        X, parameters = apart(50, d, 3, d, 3.0)
        _, _, moments = by(form, X, parameters)
        assert np.array_equal(moments.covariances, moments.covariances.transpose(0, 2, 1))


# Shares near nothing


def test_a_share_counts_until_it_is_near_the_smallest_float() -> None:
    least = expectation.LEAST_SHARE
    X = np.zeros((3, 1))
    for small, kept in ((4 * least, True), (0.5 * least, False)):
        parameters = (np.array([1.0, small]), np.zeros((2, 1)), np.ones((2, 1, 1)))
        r = responsibilities(X, *parameters)
        assert r[:, 0].tolist() == [1.0] * 3
        assert_close(r[:, 1], np.full(3, small if kept else 0.0), rounding(1e3))
        weights, *_ = em_step([[-1.0], [0.0], [1.0]], *parameters)
        assert (weights[1] > 0) == kept


# Arrays


def test_no_row_of_a_buffer_lies_on_the_cache_lines_of_the_next() -> None:
    for rows in (1, 2, 6, 66, 561, 5000):
        for size in (8, 1 << 17, 3 << 17, 1 << 19):
            length = buffer_length(size, rows)
            assert length % 8 == 0
            assert length % 512
            assert length >= 8
            assert abs(8 * length * rows - size) <= 8 * 64 * rows


def test_two_numbers_hold_their_sum_exactly() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 1000)) * 10.0 ** rng.integers(-12, 12, size=(2, 1000))
    total, rest = exact_sum(a, b)
    assert np.array_equal(total, a + b)
    assert np.abs(rest).max() > 0
    for four in zip(total, rest, -a, -b, strict=True):
        assert sum(map(Fraction, map(float, four))) == 0


@pytest.mark.parametrize("d", [1, 2, 31, 33, 70])
def test_a_stack_of_triangular_matrices_is_inverted_one_by_one(d: int) -> None:
    rng = np.random.default_rng(d)
    stack = np.tril(rng.standard_normal((3, d, d))) / d + np.eye(d)
    found = inverse_of_lower(stack)
    for L, W in zip(stack, found, strict=True):
        assert_close(W, inverse_of_lower(L), rounding())
        assert_close(W @ L, np.eye(d), rounding(10))


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize(
    ("n", "d", "K"), [(100_000, 2, 3), (60_000, 10, 8), (20_000, 32, 16), (5000, 60, 4), (100_000, 1, 100)]
)
def test_memory_is_a_few_chunks_whatever_the_data(
    n: int, d: int, K: int, safe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, parameters = draw(n, d, K, 1)
    if safe:
        monkeypatch.setattr(fast_form, "LIMIT", -1.0)
    em_step(X[:100], *parameters)
    tracemalloc.start()
    em_step(X, *parameters)
    mixture_gradient(X, *parameters)
    mixture_loglik(X, *parameters)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e7


@pytest.mark.parametrize(
    "dress", ["float32", "integers", "Fortran order", "not contiguous", "read-only", "swapped bytes", "long"]
)
def test_many_rows_in_another_dress_give_the_same(dress: str) -> None:
    """More than one block; what is converted is converted block by block, to the same numbers."""
    X, parameters = draw(12_000, 10, 3, 2)
    X = np.round(X * 16) / 16
    wide = np.zeros((12_000, 20))
    wide[:, ::2] = X
    dressed = {
        "float32": X.astype(np.float32),
        "integers": (16 * X).astype(np.int32),
        "Fortran order": np.asfortranarray(X),
        "not contiguous": wide[:, ::2],
        "read-only": X.copy(),
        "swapped bytes": X.astype(X.dtype.newbyteorder()),
        "long": X.astype(np.longdouble),
    }[dress]
    dressed.flags.writeable = False
    kept = np.array(dressed)
    if dress == "integers":
        X, parameters = 16 * X, (parameters[0], 16 * parameters[1], 256 * parameters[2])
    for mine, theirs in zip(em_step(dressed, *parameters), em_step(X, *parameters), strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(responsibilities(dressed, *parameters), responsibilities(X, *parameters))
    assert np.array_equal(kept, dressed)
