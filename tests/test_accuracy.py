"""Every result stays within a small multiple of what the conditioning allows; see ``benchmarks.accuracy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from oracles.precise import loglik_and_gradients

import mvnlib
from benchmarks import precise
from benchmarks.accuracy import OF_MIXTURES, WHERE, difference_errors, mixture_errors, normal_errors, problem

#: In the units of benchmarks.accuracy, for n up to a few thousand.
UNITS = {
    "log density of a row": 4,
    "log-likelihood": 4,
    "gradient in mu": 8,
    "gradient in Sigma": 4,
    "gradient in L": 4,
    "gradient in P": 8,
    "Hessian product": 4,
    "Fisher information": 4,
    "log-likelihood of a mixture": 2,
    "EM step": 8,
}
GRID = [
    (condition, d, n)
    for condition, d in [(1.0, 1), (1.0, 5), (1e4, 2), (1e4, 10), (1e8, 5), (1e12, 2), (1e12, 5)]
    for n in (1, 50, 3000)
]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(("condition", "d", "n"), GRID)
def test_results_about_one_normal_are_as_exact_as_the_conditioning_allows(
    condition: float, d: int, n: int, where: str
) -> None:
    errors = normal_errors(problem(condition, d, n, where, seed=7))
    assert not {name: error for name, error in errors.items() if not error <= UNITS[name]}


#: An EM step may take its fast form while what cancels in it stays below this many roundings.
FAST_FORM = 1e5


@pytest.mark.parametrize("where", OF_MIXTURES)
@pytest.mark.parametrize(("condition", "d", "n"), GRID)
def test_results_about_a_mixture_are_as_exact_as_the_conditioning_and_the_fast_form_allow(
    condition: float, d: int, n: int, where: str
) -> None:
    errors = mixture_errors(condition, d, n, where, seed=7)
    allowed = dict.fromkeys(errors, FAST_FORM) if where == "apart" else UNITS
    assert not {name: error for name, error in errors.items() if not error <= allowed[name]}


def test_the_units_are_not_so_large_that_every_error_would_pass() -> None:
    worst = dict.fromkeys(UNITS, 0.0)
    for condition, d, n in GRID[:9]:
        for where in WHERE:
            errors = normal_errors(problem(condition, d, n, where, seed=7))
            errors |= mixture_errors(condition, d, n, "near", seed=7)
            worst = {name: max(error, errors[name]) for name, error in worst.items()}
    assert not {name: error for name, error in worst.items() if error < UNITS[name] / 50}


@pytest.mark.parametrize(("condition", "scheme", "least"), [
    (10.0, "central", 1e-8), (10.0, "richardson", 1e-11), (10.0, "complex", 1e-14),
    (1e6, "central", 1e-5), (1e6, "richardson", 1e-7), (1e6, "complex", 1e-9),
])  # fmt: skip
def test_differences_are_as_good_as_their_order_lets_them(
    condition: float, scheme: str, least: float
) -> None:
    errors = difference_errors(condition, 4)
    assert errors["formula"] < 1e-15 * condition
    assert errors["formula"] / 10 < errors[scheme] < least


# The references themselves


def test_the_fifty_digits_are_right_where_a_second_program_has_them() -> None:
    given = problem(1e6, 3, 20)
    Y = precise.precise(given.different) - precise.precise(given.mu)
    P, log_det = precise.inverse_and_logdet_of(given.Sigma)
    n, s, T = precise.sums(Y, precise.precise(given.counts))
    value, in_mu, in_Sigma = loglik_and_gradients(given.different, given.mu, given.Sigma)
    ours = (precise.logpdf(Y, P, log_det) * given.counts).sum(), *precise.loglik_gradient(n, s, T, P)
    for found, expected in zip(ours, (value, in_mu, in_Sigma), strict=True):
        np.testing.assert_allclose(np.asarray(found, dtype=float), expected, rtol=4e-16)


def test_an_inverse_times_its_matrix_is_the_identity_to_fifty_digits() -> None:
    S = problem(1e12, 6, 1).Sigma
    P, log_det = precise.inverse_and_logdet_of(S)
    rest = precise.product(precise.precise(S), P) - np.eye(6)
    assert max(abs(x) for x in rest.ravel()) < mpmath.mpf(10) ** -36
    assert abs(log_det - mpmath.log(mpmath.det(mpmath.matrix(S.tolist())))) < mpmath.mpf(10) ** -35


def test_the_hessian_of_the_reference_is_the_slope_of_its_gradient() -> None:
    """A difference at a step of 10^-20 has twenty digits when fifty are carried."""
    given = problem(100.0, 3, 9)
    rng = np.random.default_rng(0)
    E, dmu = rng.standard_normal((3, 3)), precise.precise(rng.standard_normal(3))
    E = precise.precise(E + E.T)
    X, counts = precise.precise(given.different), precise.precise(given.counts)
    mu, Sigma = precise.precise(given.mu), precise.precise(given.Sigma)

    def gradient(h: Any) -> Any:
        P, _ = precise.inverse_and_logdet(Sigma + h * E)
        return precise.loglik_gradient(*precise.sums(X - mu - h * dmu, counts), P)

    h = mpmath.mpf(10) ** -20
    n, s, T = precise.sums(X - mu, counts)
    exact = precise.loglik_hessian(n, s, T, precise.inverse_and_logdet(Sigma)[0], dmu, E)
    for plus, minus, part in zip(gradient(h), gradient(-h), exact, strict=True):
        slope = (plus - minus) / (2 * h)
        assert max(abs(x) for x in (slope - part).ravel()) < mpmath.mpf(10) ** -25 * abs(part).max()


def test_a_planted_error_in_the_thirteenth_digit_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = mvnlib.loglik_gradient

    def wrong(*data: Any) -> Any:
        in_mu, in_Sigma = right(*data)
        return in_mu, in_Sigma * (1 + 1e-13)

    monkeypatch.setattr(mvnlib, "loglik_gradient", wrong)
    assert normal_errors(problem(1.0, 5, 50))["gradient in Sigma"] > UNITS["gradient in Sigma"]


def test_the_figure_of_the_book_has_every_function_over_the_whole_range() -> None:
    results = json.loads((Path(__file__).parents[1] / "benchmarks" / "accuracy.json").read_text())
    rows = results["rows"]
    assert {name for row in rows for name in row["errors"]} == set(UNITS)
    assert {row["where"] for row in rows} == {*WHERE, *OF_MIXTURES}
    assert {row["d"] for row in rows} == {1, 2, 5, 20, 50}
    assert {row["n"] for row in rows} == {1, 100, 100_000}
    assert (min(row["condition"] for row in rows), max(row["condition"] for row in rows)) == (1, 1e12)
