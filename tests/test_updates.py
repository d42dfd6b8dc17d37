"""Differences of the log-likelihood by updates of low rank: against differences of its values, and in closed form."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from hostile import NOT_A_COVARIANCE, NOT_REAL, disguises
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, rounding

from mvnlib import fd_gradient, loglik, loglik_differences, loglik_gradient, spaces
from mvnlib.conventions import CONVENTIONS

sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)


def draw(n: int, d: int, seed: int, condition: float = 10.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    Sigma, mu = spaces.positive_definite.draw(rng, d, condition), rng.standard_normal(d)
    return mu + 0.5 + rng.standard_normal((n, d)) @ np.linalg.cholesky(Sigma).T, mu, Sigma


def on_all_matrices(X: Any, mu: Any, S: Any) -> Any:
    """The log-likelihood as a function of d^2 entries, in whatever digits mpmath is set to."""
    inverse, d = mpmath.inverse(S), S.rows
    value = -len(X) * (d * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(S)))
    for x in X:
        y = mpmath.matrix([mpmath.mpf(float(s)) - mpmath.mpf(float(t)) for s, t in zip(x, mu, strict=True)])
        value -= (y.T * inverse * y)[0]
    return value / 2


def in_many_digits(X: Any, mu: Any, Sigma: Any, convention: str, step: float) -> np.ndarray:
    """Central differences of values in eighty digits: f is formed twice for each entry, and moved by ``step``."""
    d = len(mu)
    result = np.empty((d, d))
    with mpmath.workdps(80):
        for i in range(d):
            for j in range(d):
                sides = []
                for sign in (1, -1):
                    S = mpmath.matrix(Sigma.tolist())
                    S[i, j] += sign * mpmath.mpf(step)
                    if convention != "entrywise" and i != j:
                        S[j, i] += sign * mpmath.mpf(step)
                    sides.append(on_all_matrices(X, mu, S))
                weight = 4 if convention == "frobenius" and i != j else 2
                result[i, j] = float((sides[0] - sides[1]) / (weight * mpmath.mpf(step)))
    return result


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("part", [0.4, 1e-3])
def test_a_large_step_gives_the_differences_themselves_not_their_limit(
    convention: str, d: int, part: float
) -> None:
    X, mu, Sigma = draw(4, d, d)
    step = part * float(np.linalg.eigvalsh(Sigma)[0])
    found = loglik_differences(X, mu, Sigma, convention=convention, step=step)
    expected = in_many_digits(X, mu, Sigma, convention, step)
    assert_close(found, expected, rounding(10))
    limit = loglik_gradient(X, mu, Sigma, convention=convention)[1]
    assert np.abs(found - limit).max() > 1e-9 * np.abs(limit).max()  # so the step does matter


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(n=st.integers(1, 20), d=sizes, seed=seeds, exponent=st.integers(0, 10))
def test_at_the_default_step_they_are_the_gradient_to_rounding(
    convention: str, n: int, d: int, seed: int, exponent: int
) -> None:
    X, mu, Sigma = draw(n, d, seed, 10.0**exponent)
    found = loglik_differences(X, mu, Sigma, convention=convention)
    terms = n * np.abs(np.linalg.inv(Sigma)).max() * (1 + np.abs(loglik(X, mu, Sigma)))
    gap = np.abs(found - loglik_gradient(X, mu, Sigma, convention=convention)[1]).max()
    assert gap <= rounding(units=20) * terms
    assert np.array_equal(found, found.T)


def test_truncation_at_the_default_step_is_less_than_rounding() -> None:
    """In one dimension at the mean of the likelihood, where only the third derivative is left: n h^2 / (3 S^3)."""
    for S in (1e-10, 1.0, 1.9, 2.1, 1e10):
        found = loglik_differences([[np.sqrt(S)]], [0.0], [[S]])
        assert abs(found[0, 0]) <= 8 * np.finfo(float).eps / S
    step = 2.0**-5
    found = loglik_differences([[1.0]], [0.0], [[1.0]], step=step)[0, 0]
    assert_close(found, (-np.arctanh(step) / step + 1 / (1 - step**2)) / 2, rounding())


def test_they_are_what_differences_of_values_come_to() -> None:
    X, mu, Sigma = draw(9, 3, 5)
    for convention in ("frobenius", "free"):
        table = fd_gradient(lambda S: loglik(X, mu, S), Sigma, convention, "central", 2.0**-12)
        found = loglik_differences(X, mu, Sigma, convention=convention, step=2.0**-12)
        assert_close(found, table, 1e-9)


def test_a_wrong_gradient_is_far_from_them() -> None:
    X, mu, Sigma = draw(9, 4, 6)
    _, right = loglik_gradient(X, mu, Sigma, convention="free")
    found = loglik_differences(X, mu, Sigma, convention="free")
    size = np.abs(right).max()
    for wrong in (loglik_gradient(X, mu, Sigma)[1], right * (1 + 1e-9), -right, right / 2):
        assert np.abs(found - wrong).max() > 1e-10 * size
    assert np.abs(found - right).max() < 1e-13 * size


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("Sigma", [[[4.0]], [[2.0, 0.0], [0.0, 2.0]], [[2.0, 1.0], [1.0, 2.0]]])
def test_a_step_is_taken_up_to_the_nearest_singular_matrix_and_not_beyond(
    convention: str, Sigma: Any
) -> None:
    Sigma = np.array(Sigma)
    d = len(Sigma)
    P = np.linalg.inv(Sigma)
    # Alone, an entry makes Sigma singular at 1 / |P_ij|; with its twin at 1 / (sqrt(P_ii P_jj) + |P_ij|).
    room = np.abs(P).max()
    if convention != "entrywise" and d > 1:
        room = np.sqrt(P[0, 0] * P[1, 1]) + abs(P[0, 1])
    X, mu = np.ones((3, d)), np.zeros(d)
    assert np.isfinite(loglik_differences(X, mu, Sigma, convention=convention, step=0.99 / room)).all()
    with pytest.raises(ValueError, match=rf"^step must stay below {1 / room:.3g}, .* but it is"):
        loglik_differences(X, mu, Sigma, convention=convention, step=1.01 / room)


def test_a_step_onto_a_singular_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^step must stay below 4, .* but it is 4"):
        loglik_differences([[1.0]], [0.0], [[4.0]], step=4.0)


def test_the_default_convention_is_entrywise_and_only_a_keyword() -> None:
    X, mu, Sigma = draw(4, 3, 0)
    entrywise = loglik_differences(X, mu, Sigma, convention="entrywise")
    assert np.array_equal(loglik_differences(X, mu, Sigma), entrywise)
    with pytest.raises(TypeError):
        loglik_differences(X, mu, Sigma, "free")  # type: ignore[misc]


def test_conventions_hang_together() -> None:
    X, mu, Sigma = draw(4, 3, 1)
    free, frobenius = (loglik_differences(X, mu, Sigma, convention=c) for c in ("free", "frobenius"))
    assert np.array_equal(frobenius, np.where(np.eye(3) == 1, free, free / 2))


# Input


@pytest.mark.parametrize("case", NOT_A_COVARIANCE)
def test_a_bad_covariance_is_refused_by_name(case: str) -> None:
    value, error = NOT_A_COVARIANCE[case]
    with pytest.raises(error, match=r"^Sigma\b"):
        loglik_differences(np.zeros((3, 2)), np.zeros(2), value)


@pytest.mark.parametrize("case", NOT_REAL)
def test_bad_data_and_a_bad_mean_are_refused_by_name(case: str) -> None:
    value, error = NOT_REAL[case]
    with pytest.raises(error, match=r"^X\b"):
        loglik_differences(value, np.zeros(2), np.eye(2))
    with pytest.raises(error, match=r"^mu\b"):
        loglik_differences(np.zeros((3, 2)), np.ravel(value) if case == "NaN" else value, np.eye(2))


@pytest.mark.parametrize(
    ("step", "error"), [(0.0, ValueError), (-1e-3, ValueError), (np.nan, ValueError), ("1", TypeError)]
)
def test_a_bad_step_is_refused_by_name(step: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^step must be"):
        loglik_differences(np.zeros((3, 2)), np.zeros(2), np.eye(2), step=step)


def test_an_unknown_convention_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="convention must be one of 'entrywise', 'frobenius', 'free'"):
        loglik_differences(np.zeros((3, 2)), np.zeros(2), np.eye(2), convention="paired")


@pytest.mark.parametrize("disguise", disguises(np.eye(2)))
def test_input_in_another_dress_gives_the_same_and_is_left_unchanged(disguise: str) -> None:
    whole = {
        "X": np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]]),
        "mu": np.array([1.0, 2.0]),
        "Sigma": np.array([[5.0, 2.0], [2.0, 3.0]]),
    }
    plain = loglik_differences(*whole.values())
    for name, value in whole.items():
        dressed = disguises(value)[disguise]
        found = loglik_differences(*(whole | {name: dressed}).values())
        assert np.array_equal(found, plain)
        found[...] = np.nan
        assert np.array_equal(np.asarray(dressed, dtype=float), value)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_a_step_may_be_small_as_long_as_it_has_its_digits(convention: str, unit: float) -> None:
    X, mu, Sigma = [[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], [0.0, 0.0], np.array([[2.0, 1.0], [1.0, 3.0]])
    X, Sigma = np.sqrt(unit) * np.array(X), unit * Sigma
    exact = loglik_gradient(X, mu, Sigma, convention=convention)[1]
    for part in (1e-20, 1e-100):
        found = loglik_differences(X, mu, Sigma, convention=convention, step=part * unit)
        assert_close(found, exact, rounding())
    for part in (1e-309, 1e-320):
        if part * unit > 0:
            with pytest.raises(ValueError, match=r"^step is so small beside Sigma"):
                loglik_differences(X, mu, Sigma, convention=convention, step=part * unit)
