"""Mixtures and EM: against JAX, SciPy, scikit-learn, the table and their own laws; and where they break down."""

from __future__ import annotations

import csv
import re
import sys
import time
import tracemalloc
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hostile import NOT_A_COVARIANCE, NOT_REAL, disguises
from hypothesis import example, given
from hypothesis import strategies as st
from oracles import autodiff
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from tolerances import assert_close, rounding

from mvnlib import (
    CONVENTIONS,
    Mixture,
    convert_gradient,
    em_step,
    fit_mixture,
    fit_normal,
    loglik,
    mixture_gradient,
    mixture_loglik,
    responsibilities,
    spaces,
)
from mvnlib.identities import TABLE
from mvnlib.mixture import expectation, fast_form, progress
from mvnlib.mixture.ascent import singular

sizes, components, seeds = st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1)
Parameters = tuple[np.ndarray, np.ndarray, np.ndarray]

FAITHFUL = Path(__file__).resolve().parents[1] / "chapters" / "data" / "faithful.csv"


@pytest.fixture(scope="module")
def faithful() -> np.ndarray:
    with FAITHFUL.open() as file:
        return np.array([[row["eruptions"], row["waiting"]] for row in csv.DictReader(file)], dtype=float)


def draw(n: int, d: int, K: int, seed: int, condition: float = 10.0) -> tuple[np.ndarray, Parameters]:
    """Rows, and the parameters of a mixture that overlaps with them but did not make them."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 1.0, size=K)
    means = 2 * rng.standard_normal((K, d))
    covariances = np.stack([spaces.positive_definite.draw(rng, d, condition) for _ in range(K)])
    X = means[rng.integers(K, size=n)] + 2 * rng.standard_normal((n, d))
    return X, (weights / weights.sum(), means, covariances)


def by_scipy(X: np.ndarray, parameters: Parameters) -> tuple[float, np.ndarray]:
    """Log-likelihood and responsibilities, another way."""
    each = zip(*parameters, strict=True)
    logs = [np.log(w) + np.reshape(multivariate_normal(m, S).logpdf(X), len(X)) for w, m, S in each if w > 0]
    total = logsumexp(logs, axis=0)
    return float(total.sum()), np.exp(np.transpose(logs) - total[:, None])


def by_sklearn(X: np.ndarray, parameters: Parameters, steps: int = 1) -> GaussianMixture:
    """Some steps of scikit-learn from the same start; the term it adds to a covariance is switched off."""
    weights, means, covariances = parameters
    model = GaussianMixture(
        len(weights),
        weights_init=weights,
        means_init=means,
        precisions_init=np.linalg.inv(covariances),
        max_iter=steps,
        tol=0.0,
        reg_covar=0.0,
        init_params="random",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X)


# Oracles


@given(n=st.integers(1, 20), d=sizes, K=components, seed=seeds, exponent=st.integers(0, 6))
def test_the_log_likelihood_and_the_responsibilities_are_those_of_scipy(
    n: int, d: int, K: int, seed: int, exponent: int
) -> None:
    X, parameters = draw(n, d, K, seed, 10.0**exponent)
    value, r = by_scipy(X, parameters)
    found = mixture_loglik(X, *parameters)
    assert type(found) is float
    assert abs(found - value) <= rounding(10.0**exponent) * (n + abs(value))
    size = np.abs(X).max() ** 2 * 10.0**exponent  # of the exponents whose difference decides
    assert np.abs(responsibilities(X, *parameters) - r).max() <= rounding() * (1 + size)


def jax_loglik(weights: Any, means: Any, covariances: Any, X: Any, density: Callable[..., Any]) -> Any:
    rows = jax.vmap(density, (0, None, None))
    logs = [jnp.log(w) + rows(X, m, S) for w, m, S in zip(weights, means, covariances, strict=True)]
    return jax.scipy.special.logsumexp(jnp.stack(logs), axis=0).sum()


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("K", [1, 3])
def test_the_gradient_is_that_of_autodiff(d: int, K: int) -> None:
    X, parameters = draw(9, d, K, seed=d + K)
    expected = jax.grad(jax_loglik, (0, 1, 2))(*map(jnp.asarray, parameters), X, autodiff.logpdf)
    found = mixture_gradient(X, *parameters)
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, np.asarray(theirs), 1e-10)
    # jax.scipy's density reads a covariance through a Cholesky factor, and that is the frobenius table.
    symmetric = jax.grad(jax_loglik, 2)(*map(jnp.asarray, parameters), X, autodiff.symmetric_logpdf)
    assert_close(mixture_gradient(X, *parameters, convention="frobenius")[2], np.asarray(symmetric), 1e-10)


@given(d=sizes, K=components, seed=seeds)
def test_conventions_of_the_gradient_convert_into_each_other(d: int, K: int, seed: int) -> None:
    X, parameters = draw(8, d, K, seed)
    tables = {c: mixture_gradient(X, *parameters, convention=c) for c in CONVENTIONS}
    A = tables["entrywise"][2]
    assert np.array_equal(A, A.transpose(0, 2, 1))
    assert np.array_equal(tables["frobenius"][2], A)
    for k in range(K):
        assert_close(tables["free"][2][k], convert_gradient(A[k], "entrywise", "free"), rounding())
    for convention in CONVENTIONS:
        for part in (0, 1):
            assert np.array_equal(tables[convention][part], tables["entrywise"][part])


@pytest.mark.parametrize("variable", ["pi", "mu", "Sigma"])
@given(d=sizes, K=components, seed=seeds)
def test_one_row_is_the_entry_of_the_table(variable: str, d: int, K: int, seed: int) -> None:
    X, (weights, means, covariances) = draw(1, d, K, seed)
    densities = [w * np.exp(loglik(X, m, S)) for w, m, S in zip(weights, means, covariances, strict=True)]
    gradient = dict(zip(("pi", "mu", "Sigma"), mixture_gradient(X, weights, means, covariances), strict=True))
    entry = TABLE[f"mixture_{variable}"]
    for k in range(K):
        point = {
            "x": X[0],
            "mu": means[k],
            "Sigma": covariances[k],
            "pi": weights[k],
            "c": max(sum(densities) - densities[k], 0.0),
        }
        assert abs(entry.value(point) - mixture_loglik(X, weights, means, covariances)) <= rounding(1e4)
        expected = np.asarray(entry.gradient(point))
        assert gradient[variable][k].shape == expected.shape
        size = max(1.0, np.abs(np.linalg.inv(covariances[k])).max()) ** 2 * (
            1 + np.abs(X - means[k]).max() ** 2
        )
        assert np.abs(gradient[variable][k] - expected).max() <= rounding(1e3) * (
            size + np.abs(expected).max()
        )


@given(n=st.integers(8, 40), d=st.integers(1, 3), K=st.integers(1, 3), seed=seeds)
def test_a_step_is_that_of_scikit_learn(n: int, d: int, K: int, seed: int) -> None:
    X, parameters = draw(n, d, K, seed)
    try:
        theirs = by_sklearn(X, parameters)
    except ValueError:  # it has no covariance for a component without points
        return
    weights, means, covariances, value = em_step(X, *parameters)
    if weights.min() < 1e-3:  # scikit-learn adds 10 eps to every N_k
        return
    assert_close(weights, theirs.weights_, rounding(10))
    assert_close(means, theirs.means_, rounding(1e3))
    assert_close(covariances, theirs.covariances_, rounding(1e4))
    assert abs(value - by_scipy(X, parameters)[0]) <= rounding(10) * (n + abs(value))


def test_many_steps_on_old_faithful_are_those_of_scikit_learn(faithful: np.ndarray) -> None:
    _, Sigma = fit_normal(faithful)
    start = np.array([0.4, 0.6]), np.array([[2.0, 55.0], [4.0, 80.0]]), np.stack([Sigma, Sigma])
    parameters: Any = start
    for _ in range(30):
        *parameters, _ = em_step(faithful, *parameters)
    theirs = by_sklearn(faithful, start, 30)
    for mine, other in zip(parameters, (theirs.weights_, theirs.means_, theirs.covariances_), strict=True):
        assert_close(mine, other, 1e-10)
    value = mixture_loglik(faithful, *parameters)
    assert_close(value, theirs.score(faithful) * len(faithful), 1e-10)
    assert_close(responsibilities(faithful, *parameters), theirs.predict_proba(faithful), 1e-8)


def test_the_log_likelihood_is_right_in_fifty_digits_also_far_out() -> None:
    X, (weights, means, covariances) = draw(3, 2, 3, 7)
    for far in (0.0, 40.0, 1e4):
        with mpmath.workdps(50):
            total = mpmath.mpf(0)
            for x in X + far:
                density = mpmath.mpf(0)
                for w, m, S in zip(weights, means, covariances, strict=True):
                    S = mpmath.matrix(S.tolist())
                    y = mpmath.matrix(
                        [mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(x, m, strict=True)]
                    )
                    form = (y.T * mpmath.inverse(S) * y)[0]
                    density += (
                        mpmath.mpf(float(w))
                        * mpmath.exp(-form / 2)
                        / (2 * mpmath.pi * mpmath.sqrt(mpmath.det(S)))
                    )
                total += mpmath.log(density)
        assert_close(mixture_loglik(X + far, weights, means, covariances), float(total), rounding(10))


# Laws


@given(n=st.integers(1, 30), d=sizes, K=components, seed=seeds)
def test_every_row_of_the_responsibilities_sums_to_one(n: int, d: int, K: int, seed: int) -> None:
    X, parameters = draw(n, d, K, seed)
    r = responsibilities(X, *parameters)
    assert r.shape == (n, K)
    assert (r >= 0).all()
    assert np.abs(r.sum(axis=1) - 1).max() <= rounding()


@pytest.mark.parametrize("far", [1e2, 1e4, 1e8, 1e100])
def test_also_where_every_density_underflows(far: float) -> None:
    X, parameters = draw(5, 2, 3, 0)
    r = responsibilities(X + far, *parameters)
    assert np.isfinite(r).all()
    assert np.abs(r.sum(axis=1) - 1).max() <= rounding()
    assert np.isfinite(mixture_loglik(X + far, *parameters))
    *new, value = em_step(X + far, *parameters)
    assert np.isfinite(value)
    assert all(np.isfinite(part).all() for part in new)
    assert all(np.isfinite(part).all() for part in mixture_gradient(X + far, *parameters))


def test_where_the_logarithm_itself_is_no_float_the_row_is_named() -> None:
    X, parameters = draw(5, 2, 3, 0)
    for far in (1e160, 1e308):
        X[3] = far
        for function in CALLS.values():
            with pytest.raises(ValueError, match=r"^X\[3\] is so far"):
                function(X, *parameters)


@given(n=st.integers(12, 40), d=st.integers(1, 3), K=components, seed=seeds)
@example(n=12, d=3, K=2, seed=123298)  # one component on four rows: condition number 2e3
def test_a_step_never_loses(n: int, d: int, K: int, seed: int) -> None:
    X, parameters = draw(n, d, K, seed)
    values, conditions = [], []
    try:
        for _ in range(8):
            conditions.append(np.linalg.cond(parameters[2]).max())
            *parameters, value = em_step(X, *parameters)
            values.append(value)
    except np.linalg.LinAlgError:  # collapsed: the gain was without bound
        conditions.pop()
    noise = rounding(np.array(conditions), units=20) * (n + np.abs(values).max())
    assert (np.diff(values) >= -noise[:-1] - noise[1:]).all()


@given(d=sizes, K=components, seed=seeds)
def test_a_step_gives_a_distribution_and_symmetric_covariances(d: int, K: int, seed: int) -> None:
    X, parameters = draw(20, d, K, seed)
    weights, means, covariances, _ = em_step(X, *parameters)
    assert weights.shape == (K,)
    assert means.shape == (K, d)
    assert covariances.shape == (K, d, d)
    assert abs(weights.sum() - 1) <= rounding()
    assert np.array_equal(covariances, covariances.transpose(0, 2, 1))
    # The mixture keeps the mean and the covariance of the data.
    mu = X.mean(axis=0)
    assert np.abs(weights @ means - mu).max() <= rounding() * np.abs(X).max()
    gaps = means - mu
    total = np.einsum("k,kij->ij", weights, covariances + np.einsum("ki,kj->kij", gaps, gaps))
    assert_close(total, np.cov(X.T, bias=True).reshape(d, d), rounding(10))


@given(n=st.integers(5, 20), d=sizes, seed=seeds)
def test_one_component_is_the_normal_distribution(n: int, d: int, seed: int) -> None:
    X, (weights, means, covariances) = draw(n, d, 1, seed)
    new_weights, new_means, new_covariances, value = em_step(X, weights, means, covariances)
    assert_close(value, loglik(X, means[0], covariances[0]), rounding(10))
    assert_close(new_weights, np.ones(1), rounding())
    assert_close(new_means[0], X.mean(axis=0), rounding())
    assert_close(new_covariances[0], np.cov(X.T, bias=True).reshape(d, d), rounding(10))


@given(d=sizes, K=components, seed=seeds)
def test_components_may_come_in_any_order_and_rows_too(d: int, K: int, seed: int) -> None:
    X, parameters = draw(15, d, K, seed)
    rng = np.random.default_rng(seed)
    names, rows = rng.permutation(K), rng.permutation(15)
    shuffled = [part[names] for part in parameters]
    assert_close(mixture_loglik(X[rows], *shuffled), mixture_loglik(X, *parameters), rounding(10))
    assert_close(
        responsibilities(X[rows], *shuffled), responsibilities(X, *parameters)[rows][:, names], rounding(1e3)
    )
    for mine, other in zip(em_step(X[rows], *shuffled)[:3], em_step(X, *parameters)[:3], strict=True):
        assert np.abs(mine - other[names]).max() <= rounding(1e3) * (1 + np.abs(other).max())


@given(d=sizes, K=components, seed=seeds)
def test_an_affine_map_of_data_and_parameters_commutes_with_a_step(d: int, K: int, seed: int) -> None:
    X, (weights, means, covariances) = draw(20, d, K, seed)
    rng = np.random.default_rng(seed + 1)
    A, b = spaces.invertible.draw(rng, d), rng.standard_normal(d)
    moved = A @ covariances @ A.T
    image = weights, means @ A.T + b, (moved + moved.transpose(0, 2, 1)) / 2
    one, two = em_step(X, weights, means, covariances), em_step(X @ A.T + b, *image)
    assert abs(two[3] + len(X) * np.linalg.slogdet(A)[1] - one[3]) <= rounding(1e4) * (1 + abs(one[3]))
    assert np.abs(two[0] - one[0]).max() <= rounding(1e5)
    if one[0].min() > 1e-6:
        assert np.abs(two[1] - (one[1] @ A.T + b)).max() <= rounding(1e6) * (1 + np.abs(X @ A.T).max())


@given(d=sizes, K=components, seed=seeds)
def test_the_responsibilities_and_the_step_know_only_ratios_of_weights(d: int, K: int, seed: int) -> None:
    X, (weights, means, covariances) = draw(10, d, K, seed)
    assert_close(
        responsibilities(X, 7 * weights, means, covariances),
        responsibilities(X, weights, means, covariances),
        rounding(100),
    )
    gain = mixture_loglik(X, 7 * weights, means, covariances) - mixture_loglik(X, weights, means, covariances)
    assert abs(gain - 10 * np.log(7)) <= rounding(100) * 1e3


@given(d=sizes, K=components, seed=seeds)
def test_along_the_weights_the_gradient_counts_the_rows(d: int, K: int, seed: int) -> None:
    """L is log n times homogeneous in the weights: sum_k pi_k dL/dpi_k = n."""
    X, parameters = draw(10, d, K, seed)
    assert abs(parameters[0] @ mixture_gradient(X, *parameters)[0] - 10) <= rounding(10) * 10


def test_where_a_step_does_not_move_the_gradient_vanishes(faithful: np.ndarray) -> None:
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(0), tol=1e-16)
    for _ in range(40):
        fit.weights[:], fit.means[:], fit.covariances[:], _ = em_step(
            faithful, fit.weights, fit.means, fit.covariances
        )
    in_weights, in_means, in_covariances = mixture_gradient(faithful, fit.weights, fit.means, fit.covariances)
    # On the simplex: all slopes alike, and equal to n.
    assert_close(in_weights, np.full(2, 272.0), 1e-10)
    deviations = np.sqrt(np.diagonal(fit.covariances, axis1=1, axis2=2))
    assert np.abs(in_means * deviations).max() < 1e-7 * 272
    assert np.abs(in_covariances * deviations[:, :, None] * deviations[:, None, :]).max() < 1e-7 * 272


def test_data_far_from_the_origin_lose_no_digits(faithful: np.ndarray) -> None:
    """Data on a grid of 2^-10 minutes, so that the shifted copy is the same data exactly."""
    X = np.round(faithful * 1024) / 1024
    fit = fit_mixture(X, 2, rng=np.random.default_rng(0))
    means = np.round(fit.means * 1024) / 1024
    here, there = (X, means), (X + 2.0**36, means + 2.0**36)
    for function in (mixture_loglik, responsibilities, mixture_gradient):
        near, far = (function(rows, fit.weights, m, fit.covariances) for rows, m in (here, there))
        for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (near, far)), strict=True):
            assert np.array_equal(a, b)
    near, far = (em_step(rows, fit.weights, m, fit.covariances) for rows, m in (here, there))
    assert np.array_equal(near[0], far[0])
    assert np.abs(far[1] - 2.0**36 - near[1]).max() <= 2.0**36 * 2.0**-52
    assert np.array_equal(near[2], far[2])


def test_a_narrow_cluster_far_from_the_origin_is_no_collapse() -> None:
    """What rounding leaves of a variance is measured from the rows, not from zero."""
    rng, far = np.random.default_rng(0), 2.0**42
    wide, narrow = rng.standard_normal((2, 40, 2)) * [[[1.0]], [[2.0**-8]]]
    X = np.round(np.concatenate([wide, 3 + narrow]) * 1024) / 1024
    for sign in (1, -1):
        here, there = (fit_mixture(sign * X + o, 2, rng=np.random.default_rng(0)) for o in (0.0, sign * far))
        assert_close(there.covariances, here.covariances, 1e-6)
        assert_close(there.weights, here.weights, 1e-6)


# Components that fade or collapse


def test_a_component_of_weight_zero_is_not_there(faithful: np.ndarray) -> None:
    X, (weights, means, covariances) = draw(12, 2, 3, 1)
    weights = np.array([0.4, 0.0, 0.6])
    some = [0, 2]
    assert mixture_loglik(X, weights, means, covariances) == mixture_loglik(
        X, weights[some], means[some], covariances[some]
    )
    r = responsibilities(X, weights, means, covariances)
    assert (r[:, 1] == 0).all()
    new_weights, new_means, new_covariances, _ = em_step(X, weights, means, covariances)
    assert new_weights[1] == 0
    assert np.array_equal(new_means[1], means[1])
    assert np.array_equal(new_covariances[1], covariances[1])
    with pytest.raises(ValueError, match=r"^weights must be positive .* weights\[1\] = 0"):
        mixture_gradient(X, weights, means, covariances)


def test_a_component_that_no_row_can_see_keeps_its_place() -> None:
    X, (weights, means, covariances) = draw(12, 2, 2, 2)
    means[1] += 1e6
    new_weights, new_means, new_covariances, value = em_step(X, weights, means, covariances)
    assert new_weights.tolist() == [1.0, 0.0]
    assert np.array_equal(new_means[1], means[1])
    assert np.array_equal(new_covariances[1], covariances[1])
    assert np.isfinite(value)


def test_responsibilities_near_the_underflow_still_have_a_mean() -> None:
    X = np.array([[0.0], [1.0], [2.0]])
    new = em_step(X, [1.0, 1e-300], [[1.0], [1.0]], [[[1.0]], [[1.0]]])
    assert_close(new[1], np.array([[1.0], [1.0]]), rounding())
    assert_close(new[2], np.full((2, 1, 1), np.cov(X.T * np.exp(0), aweights=[1, 1, 1], bias=True)), 1e-6)


def test_the_likelihood_is_unbounded_at_a_collapsed_component() -> None:
    X, (weights, means, covariances) = draw(20, 2, 2, 3)
    means[0] = X[0]
    values = []
    for scale in 10.0 ** -np.arange(0, 280, 40):
        values.append(mixture_loglik(X, weights, means, np.stack([scale * np.eye(2), covariances[1]])))
        r = responsibilities(X, weights, means, np.stack([scale * np.eye(2), covariances[1]]))
        assert np.abs(r.sum(axis=1) - 1).max() <= rounding()
    assert (np.diff(values) > 0).all()
    # From some scale on the component has its row for itself, and each factor of ten gains d/2 log 10.
    assert_close(np.diff(values[2:]), np.full(4, 40 * np.log(10)), 1e-6)
    # The step that follows has a singular covariance, as the formula says, and the one after refuses it.
    new = em_step(X, weights, means, np.stack([1e-250 * np.eye(2), covariances[1]]))
    assert np.array_equal(new[2][0], np.zeros((2, 2)))
    with pytest.raises(np.linalg.LinAlgError, match=r"^covariances\[0\] must be positive definite"):
        em_step(X, *new[:3])


@pytest.mark.parametrize("size", [2.0**-500, 2.0**-20, 1.0, 2.0**17, 2.0**500])
def test_a_covariance_that_is_singular_but_for_rounding_is_refused_in_any_units(size: float) -> None:
    """Cholesky succeeds on it, with a last pivot that is rounding; one that only comes near is taken."""
    X, good = size * np.zeros((3, 2)), size * np.eye(2) * size
    for gap, refused in ((2e-16, True), (1e-12, False)):
        flat = size * np.array([[1.0, 1 - gap], [1 - gap, 1.0]]) * size
        for k, covariances in enumerate(([flat, good], [good, flat])):
            parameters = [0.5, 0.5], np.zeros((2, 2)), covariances
            if not refused:
                assert np.isfinite(mixture_loglik(X, *parameters))
                continue
            with pytest.raises(np.linalg.LinAlgError, match=rf"^covariances\[{k}\].*told from a singular"):
                mixture_loglik(X, *parameters)


@pytest.mark.parametrize("far", [0.0, 1e6])
@pytest.mark.parametrize("shape", ["a point", "a line"])
def test_a_fit_that_collapses_says_where(shape: str, far: float) -> None:
    """Ten times the same row, or rows on a line, beside a cloud."""
    rng = np.random.default_rng(4)
    cloud = rng.standard_normal((30, 2))
    along = np.zeros(10) if shape == "a point" else np.linspace(0, 3, 10)
    X = far + np.concatenate([cloud, 20 + np.outer(along, [1.0, 2.0])])
    errors = []
    for seed in range(20):
        try:
            fit_mixture(X, 2, rng=np.random.default_rng(seed))
        except np.linalg.LinAlgError as error:
            errors.append(str(error))
    assert errors
    for message in errors:
        assert re.search(
            r"component \d of 2 has collapsed on rows .* \[.*\]: the likelihood is unbounded", message
        )


def test_in_one_dimension_a_variance_of_rounding_errors_is_a_collapse() -> None:
    """The mean of rows that are alike is rounded, so their variance is not exactly zero."""
    rng = np.random.default_rng(0)
    cloud = rng.standard_normal(30)
    for m in range(5, 25):
        X = np.concatenate([cloud, np.full(m, 30 + m / 7)])[:, None]
        with pytest.raises(np.linalg.LinAlgError, match="has collapsed"):
            fit_mixture(X, 2, rng=np.random.default_rng(m))


@pytest.mark.parametrize("m", [5, 12, 20])
def test_rows_that_differ_in_their_last_digits_are_a_collapse_and_a_narrow_cluster_is_none(m: int) -> None:
    rng = np.random.default_rng(m)
    cloud, place = rng.standard_normal(30), 30 + m / 7
    alike = place * (1 + np.finfo(float).eps * rng.integers(-2, 3, m))
    assert alike.std() > 0
    with pytest.raises(np.linalg.LinAlgError, match="has collapsed"):
        fit_mixture(np.concatenate([cloud, alike])[:, None], 2, rng=np.random.default_rng(m))
    # In one coordinate only, beside one that varies:
    beside = np.column_stack([np.concatenate([cloud, alike]), rng.standard_normal(30 + m)])
    with pytest.raises(np.linalg.LinAlgError, match="has collapsed"):
        fit_mixture(beside, 2, rng=np.random.default_rng(m))
    narrow = place + 1e-12 * rng.standard_normal(m)
    fit = fit_mixture(np.concatenate([cloud, narrow])[:, None], 2, rng=np.random.default_rng(m))
    assert fit.converged
    assert_close(fit.covariances.min(), (narrow - narrow[0]).var(), 1e-6)


@pytest.mark.parametrize("d", [2, 4])
def test_a_covariance_is_singular_from_eight_d_eps_on_in_any_units(d: int) -> None:
    for part, found in ((0.9, [1]), (1.1, [])):
        flat = np.eye(d)
        flat[0, 1] = flat[1, 0] = 1 - part * 8 * d * np.finfo(float).eps
        units = 10.0 ** np.arange(d)
        both = np.stack([np.eye(d), flat]) * units[:, None] * units
        assert singular(both, np.zeros(d)).tolist() == found


def test_a_row_is_not_drawn_twice_for_the_start_whatever_the_generator_gives() -> None:
    """Zero is a number between 0 and 1: it may not choose a row that is at distance zero from those chosen."""

    class Zero(np.random.Generator):
        def random(self) -> float:  # type: ignore[override]
            return 0.0

        def integers(self, n: int) -> int:  # type: ignore[override]
            return 0

    starts: list[np.ndarray] = []
    X = np.array([[0.0], [0.0], [1.0], [5.0]])
    fit_mixture(X, 3, rng=Zero(np.random.PCG64(0)), callback=lambda i, p, v: starts.append(p[1]) or True)
    assert starts[0].ravel().tolist() == [0.0, 1.0, 5.0]


def test_the_rows_of_a_start_are_drawn_in_proportion_to_their_squared_distance() -> None:
    """From the nearest row drawn before; the first of all rows alike."""
    X, rng = np.array([0.0, 1.0, 4.0, 5.0]), np.random.default_rng(0)
    squares = (X[:, None] - X) ** 2
    expected = squares / squares.sum(axis=1)[:, None] / 4
    starts: list[np.ndarray] = []
    for _ in range(1000):
        fit_mixture(X[:, None], 3, rng=rng, callback=lambda i, p, v: starts.append(p[1]) or True)
    drawn = np.searchsorted(X, np.array(starts)[:, :, 0])
    found = np.zeros((4, 4))
    np.add.at(found, (drawn[:, 0], drawn[:, 1]), 1 / len(drawn))
    assert (np.abs(found - expected) <= 4 * np.sqrt(expected / len(drawn))).all()
    # The nearer of 0 and 1 is at distance 3 from 4 and at 4 from 5.
    last = [row[2] for row in drawn.tolist() if set(row[:2]) == {0, 1}]
    assert abs(np.mean(np.array(last) == 3) - 16 / 25) < 4 * np.sqrt(0.25 / len(last))


def test_rows_that_do_not_span_the_space_are_refused_at_the_start() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="the covariance of X"):
        fit_mixture(np.outer(np.arange(9.0), [1.0, 2.0]), 2, rng=np.random.default_rng(0))
    with pytest.raises(np.linalg.LinAlgError, match="the covariance of X"):
        fit_mixture(np.column_stack([np.arange(9.0), np.full(9, 0.1)]), 2, rng=np.random.default_rng(0))


# The fit


@pytest.mark.parametrize("seed", range(5))
def test_old_faithful_has_the_maximum_that_everybody_finds(faithful: np.ndarray, seed: int) -> None:
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(seed))
    assert fit.converged
    assert abs(fit.loglik + 1130.264) < 1e-3
    assert fit.loglik == fit.history[-1]
    assert_close(fit.loglik, mixture_loglik(faithful, fit.weights, fit.means, fit.covariances), rounding())
    assert (np.diff(fit.history) > -1e-9).all()
    theirs = GaussianMixture(2, tol=1e-12, max_iter=500, reg_covar=0, random_state=seed).fit(faithful)
    assert abs(theirs.score(faithful) * len(faithful) - fit.loglik) < 1e-4


def test_a_fit_is_its_seed(faithful: np.ndarray) -> None:
    one, two, other = (fit_mixture(faithful, 3, rng=np.random.default_rng(s)) for s in (5, 5, 6))
    assert one.history == two.history != other.history
    assert one == two != other
    assert isinstance(one, Mixture)


def test_a_callback_sees_every_step_and_can_stop(faithful: np.ndarray) -> None:
    seen: list[tuple[int, float]] = []

    def watch(iteration: int, parameters: Parameters, value: float) -> bool:
        seen.append((iteration, value))
        assert_close(value, mixture_loglik(faithful, *parameters), rounding())
        return iteration == 4

    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(0), callback=watch)
    assert [iteration for iteration, _ in seen] == [0, 1, 2, 3, 4]
    assert fit.history == tuple(value for _, value in seen)
    assert not fit.converged
    assert_close(fit.loglik, mixture_loglik(faithful, fit.weights, fit.means, fit.covariances), rounding())


def test_a_fit_that_runs_out_of_steps_has_not_converged(faithful: np.ndarray) -> None:
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(0), max_iter=3)
    assert not fit.converged
    assert len(fit.history) == 4
    assert_close(fit.loglik, mixture_loglik(faithful, fit.weights, fit.means, fit.covariances), rounding())


def test_a_tighter_tolerance_takes_more_steps(faithful: np.ndarray) -> None:
    steps = [
        len(fit_mixture(faithful, 2, rng=np.random.default_rng(1), tol=tol).history)
        for tol in (1e-2, 1e-5, 1e-9)
    ]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("options", [{"tol": 1e-2}, {"tol": 1e-5}, {}])
def test_a_fit_ends_with_the_first_gain_below_the_tolerance_a_row(
    faithful: np.ndarray, options: dict[str, float]
) -> None:
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(2), **options)
    gains, tol = np.diff(fit.history) / len(faithful), options.get("tol", 1e-8)
    assert gains[-1] < tol
    assert (gains[:-1] >= tol).all()


@pytest.mark.parametrize("units", [[1.0, 1e-4], [60.0, 60.0], [1e5, 1.0]])
def test_the_start_does_not_depend_on_units(faithful: np.ndarray, units: list[float]) -> None:
    starts: list[np.ndarray] = []
    for scale in ([1.0, 1.0], units):
        fit_mixture(
            faithful * scale,
            4,
            rng=np.random.default_rng(1),
            callback=lambda i, p, v, scale=scale: starts.append(p[1] / scale) or True,
        )
    assert_close(starts[1], starts[0], rounding())


def test_as_many_components_as_rows_start_on_all_of_them() -> None:
    X = np.array([[0.0], [1.0], [5.0]])
    starts = []
    fit_mixture(X, 3, rng=np.random.default_rng(0), callback=lambda i, p, v: starts.append(p[1]) or True)
    assert sorted(starts[0].ravel()) == [0, 1, 5]
    with pytest.raises(ValueError, match="X has 3 rows, too few for 4"):
        fit_mixture(X, 4, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="X has only 2 different rows"):
        fit_mixture([[0.0], [1.0], [1.0]], 3, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"n_components": 2.0}, TypeError, "n_components must be a whole number"),
        ({"n_components": True}, TypeError, "n_components must be a whole number"),
        ({"rng": 0}, TypeError, "rng must be a generator"),
        ({"rng": None}, TypeError, "rng must be a generator"),
        ({"rng": np.random.RandomState(0)}, TypeError, "rng must be a generator"),
        ({"tol": 0}, ValueError, "tol must be positive"),
        ({"tol": np.nan}, ValueError, "tol must be finite"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"max_iter": 1.5}, TypeError, "max_iter must be a whole number"),
    ],
)
def test_a_bad_option_of_the_fit_is_named(
    faithful: np.ndarray, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        fit_mixture(**{"X": faithful, "n_components": 2, "rng": np.random.default_rng(0), **changes})


def test_a_fit_from_a_start_of_ones_own_takes_the_steps_of_em_from_there(faithful: np.ndarray) -> None:
    rows = faithful[[0, 1, 2]]
    start = [2.0, 1.0, 1.0], rows, np.stack([np.cov(faithful.T)] * 3)
    kept = [np.array(part) for part in start]
    fit = fit_mixture(faithful, 3, start=start, max_iter=4)
    parameters: Any = ([0.5, 0.25, 0.25], *start[1:])
    history = []
    for _ in range(4):
        *parameters, value = em_step(faithful, *parameters)
        history.append(value)
    assert fit.history[:-1] == tuple(history)
    for mine, theirs in zip((fit.weights, fit.means, fit.covariances), parameters, strict=True):
        assert np.array_equal(mine, theirs)
    first = fit_mixture(faithful, 3, start=start, callback=lambda *_: True)
    first.means[...] = first.covariances[...] = np.nan  # the fit's own
    for part, before in zip(start, kept, strict=True):
        assert np.array_equal(part, before)


def test_a_fit_from_where_a_fit_has_ended_stays_there(faithful: np.ndarray) -> None:
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(0))
    again = fit_mixture(faithful, 2, start=[1e308 * fit.weights, fit.means, fit.covariances])
    assert again.converged
    assert len(again.history) == 2
    assert_close(again.loglik, fit.loglik, 1e-8)


@pytest.mark.parametrize(
    ("start", "error", "words"),
    [
        ("kmeans", TypeError, r"^start must be a tuple \(weights, means, covariances\)"),
        ([np.ones(2), np.ones((2, 2))], TypeError, r"^start must be a tuple"),
        (
            ([1.0], np.zeros((1, 2)), [np.eye(2)]),
            ValueError,
            r"^start must have means of shape \(2, 2\), .*\(1, 2\)",
        ),
        (
            ([1.0, 1.0], np.zeros((2, 1)), np.ones((2, 1, 1))),
            ValueError,
            r"^start must have means .* length 2",
        ),
        (([1.0, -1.0], np.zeros((2, 2)), [np.eye(2)] * 2), ValueError, r"^weights must not be negative"),
        (([1.0, 1.0], np.full((2, 2), np.nan), [np.eye(2)] * 2), ValueError, r"^means must be finite"),
        (
            ([1.0, 1.0], np.zeros((2, 2)), [np.eye(2), -np.eye(2)]),
            np.linalg.LinAlgError,
            r"^covariances\[1\] must",
        ),
    ],
)
def test_a_bad_start_is_named(faithful: np.ndarray, start: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fit_mixture(faithful, 2, start=start)


def test_a_long_fit_shows_how_far_it_is(faithful: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            self.options, self.steps, self.open = options, options["initial"], True
            bars.append(self)

        def set_postfix(self, loglik: str, refresh: bool) -> None:
            self.loglik = float(loglik)

        def update(self) -> None:
            self.steps += 1

        def close(self) -> None:
            self.open = False

    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    fit_mixture(faithful, 2, rng=np.random.default_rng(0))
    assert not bars  # it was quick
    monkeypatch.setattr(progress, "_PATIENCE", -1.0)
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(0))
    (bar,) = bars
    assert bar.steps == len(fit.history) + 1
    assert bar.loglik == pytest.approx(fit.loglik, abs=1e-6)
    assert not bar.open
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # not installed
    assert fit_mixture(faithful, 2, rng=np.random.default_rng(0)).history == fit.history


# Size


def test_two_hundred_thousand_rows_take_a_moment_and_little_memory() -> None:
    X, parameters = draw(200_000, 2, 3, 8)
    begun = time.perf_counter()
    *_, value = em_step(X, *parameters)
    assert time.perf_counter() - begun < 2
    assert_close(value, mixture_loglik(X, *parameters), rounding())
    tracemalloc.start()
    em_step(X, *parameters)
    mixture_gradient(X, *parameters)
    mixture_loglik(X, *parameters)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


def test_a_chunk_boundary_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    X, parameters = draw(1000, 2, 3, 9)
    whole = [responsibilities(X, *parameters), *em_step(X, *parameters), *mixture_gradient(X, *parameters)]
    for module in (expectation, fast_form):
        monkeypatch.setattr(module, "_CHUNK_BYTES", 8)
    parts = [responsibilities(X, *parameters), *em_step(X, *parameters), *mixture_gradient(X, *parameters)]
    for one, other in zip(whole, parts, strict=True):
        assert_close(other, one, rounding(10))


@pytest.mark.parametrize("row", [0, 70_000])
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (np.nan, r"^X must be finite, but X\[{}, 1\] is nan"),
        (-np.inf, r"^X must be finite, but X\[{}, 1\] is -inf"),
        (1e200, r"^X\[{}\] is so far from every component"),
    ],
)
def test_a_row_without_a_density_is_named_and_why(row: int, entry: float, words: str) -> None:
    X, parameters = draw(70_001, 2, 3, 9)
    X[row, 1] = entry
    for function in (mixture_loglik, responsibilities, mixture_gradient, em_step):
        with pytest.raises(ValueError, match=words.format(row)):
            function(X, *parameters)


def test_the_start_is_drawn_from_all_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = draw(1000, 2, 3, 9)
    starts: list[np.ndarray] = []
    for size in (expectation._CHUNK_BYTES, 8):
        monkeypatch.setattr(expectation, "_CHUNK_BYTES", size)
        callback = lambda i, p, v: starts.append(p[1]) or True  # noqa: E731
        fit_mixture(X, 5, rng=np.random.default_rng(0), callback=callback)
    assert np.array_equal(*starts)


# Bad input, and input in disguise

CALLS: dict[str, Callable[..., Any]] = {
    "mixture_loglik": mixture_loglik,
    "responsibilities": responsibilities,
    "mixture_gradient": mixture_gradient,
    "em_step": em_step,
}
every_function = pytest.mark.parametrize("function", CALLS)
X2 = np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0], [-7.0, 8.0]])
GOOD = {
    "X": X2,
    "weights": np.array([1.0, 3.0]),
    "means": np.array([[1.0, 2.0], [3.0, 1.0]]),
    "covariances": np.array([[[9.0, 2.0], [2.0, 8.0]], [[7.0, -2.0], [-2.0, 9.0]]]),
}


@every_function
@pytest.mark.parametrize("case", NOT_REAL)
@pytest.mark.parametrize("argument", GOOD)
def test_what_is_no_array_of_numbers_is_refused_by_name(function: str, argument: str, case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises((ValueError, TypeError), match=rf"^{argument}\b") as caught:
        CALLS[function](**{**GOOD, argument: value})
    if argument in ("X", "means"):  # a matrix, as those of the list are
        assert isinstance(caught.value, error)


@every_function
@pytest.mark.parametrize("case", [case for case in NOT_A_COVARIANCE if case not in NOT_REAL])
def test_a_component_without_a_covariance_is_named(function: str, case: str) -> None:
    value, error = NOT_A_COVARIANCE[case]
    covariances: Any = GOOD["covariances"].copy()
    if np.shape(value) == (2, 2):
        covariances[1] = value
        name = r"covariances\[1\]"
    else:
        covariances, name = value, "covariances"
    with pytest.raises(error, match=rf"^{name}"):
        CALLS[function](**{**GOOD, "covariances": covariances})


@every_function
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"X": np.zeros(2)}, "X"),
        ({"X": np.zeros((3, 3))}, "X"),
        ({"X": np.zeros((0, 2))}, "X"),
        ({"weights": 1.0}, "weights"),
        ({"weights": np.ones((2, 1))}, "weights"),
        ({"weights": np.ones(3)}, "means"),
        ({"weights": [1.5, -0.5]}, "weights"),
        ({"weights": [0.0, 0.0]}, "weights"),
        ({"means": np.zeros((2, 3))}, "covariances"),
        ({"means": np.zeros(2)}, "means"),
        ({"covariances": np.eye(2)}, "covariances"),
        ({"covariances": np.ones((2, 2, 3))}, "covariances"),
    ],
)
def test_shapes_and_weights_that_do_not_fit_are_refused_by_name(
    function: str, changes: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        CALLS[function](**{**GOOD, **changes})


@pytest.mark.parametrize("case", NOT_REAL)
def test_bad_data_cannot_be_fitted(case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        fit_mixture(value, 2, rng=np.random.default_rng(0))


def test_an_unknown_convention_is_answered_with_the_known_ones() -> None:
    for bad in ("paired", None, 1):
        with pytest.raises(ValueError, match="convention must be one of 'entrywise', 'frobenius', 'free'"):
            mixture_gradient(**GOOD, convention=bad)


def arrays(result: Any) -> list[np.ndarray]:
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]


@every_function
@pytest.mark.parametrize("argument", GOOD)
@pytest.mark.parametrize("disguise", disguises(X2))
def test_input_in_another_dress_gives_the_same_and_is_left_unchanged(
    function: str, argument: str, disguise: str
) -> None:
    dressed = disguises(GOOD[argument])[disguise]
    before = np.array(dressed, dtype=float)
    plain = arrays(CALLS[function](**GOOD))
    for one, other in zip(arrays(CALLS[function](**{**GOOD, argument: dressed})), plain, strict=True):
        assert_close(one, other, rounding(10))
        assert one.dtype == np.float64
    assert np.array_equal(np.asarray(dressed, dtype=float), before)


@every_function
def test_the_result_shares_no_memory_with_the_input(function: str) -> None:
    given = {name: value.copy() for name, value in GOOD.items()}
    given["weights"][0] = 1e-280  # one that keeps its place, or nearly
    kept = {name: value.copy() for name, value in given.items()}
    for part in arrays(CALLS[function](**given)):
        if part.ndim:
            part[...] = np.nan
    for name, value in given.items():
        assert np.array_equal(value, kept[name])


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e100, 1e150])
def test_units_do_not_matter_however_small_or_large(scale: float, faithful: np.ndarray) -> None:
    fit = fit_mixture(faithful, 2, rng=np.random.default_rng(0))
    scaled = fit_mixture(faithful * scale, 2, rng=np.random.default_rng(0))
    shift = faithful.size * np.log(scale)
    assert_close(scaled.loglik + shift, fit.loglik, 1e-9)
    assert_close(scaled.means / scale, fit.means, 1e-9)
    assert_close(scaled.covariances / scale / scale, fit.covariances, 1e-9)
    gradient = mixture_gradient(faithful * scale, scaled.weights, scaled.means, scaled.covariances)
    assert all(np.isfinite(part).all() for part in gradient)


def test_a_callback_is_a_function_and_gets_copies() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(TypeError, match="callback must be a function"):
        fit_mixture(X, 2, rng=np.random.default_rng(0), callback=3)  # type: ignore[arg-type]
    plain = fit_mixture(X, 2, rng=np.random.default_rng(0))

    def careless(iteration: int, parameters: tuple[Any, Any, Any], value: float) -> None:
        for part in parameters:
            part.fill(0)

    assert fit_mixture(X, 2, rng=np.random.default_rng(0), callback=careless).history == plain.history
