"""The referee on functions as people have them: each kind that once misled it, with right and wrong candidates."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mvnlib import (
    check_gradient,
    check_steps,
    convert_gradient,
    fd_differential,
    fd_gradient,
    from_log_cholesky,
    laplace,
    loglik,
    ops,
    spaces,
)

Function = Callable[[Any], Any]
seeds = st.integers(0, 2**32 - 1)
S2 = np.array([[2.0, 0.5], [0.5, 3.0]])
NEARLY_SINGULAR = np.array([[1.0, 0.9999], [0.9999, 1.0]])


def inv(S: Any) -> np.ndarray:
    return np.linalg.inv(np.asarray(S, dtype=float))


def logdet(S: Any) -> Any:
    return np.linalg.slogdet(S)[1]


def turned(low: float) -> np.ndarray:
    """A covariance with the eigenvalues 1 and ``low``, turned by 0.6."""
    c, s = math.cos(0.6), math.sin(0.6)
    S = np.array([[c, -s], [s, c]]) @ np.diag([1.0, low]) @ np.array([[c, s], [-s, c]])
    return (S + S.T) / 2


def single(f: Function) -> Function:
    """f computed in single precision, behind a Python float."""
    return lambda A: float(f(np.asarray(A).astype(np.float32)))


def jitter(A: np.ndarray) -> float:
    """A number between -1 and 1 that no two points share."""
    return zlib.crc32(np.ascontiguousarray(A).tobytes()) / 2**31 - 1


def half_logdet(A: Any) -> Any:
    return np.log(np.diag(np.linalg.cholesky(A))).sum()


# ---- values that carry single precision behind a Python float

SINGLE: dict[str, tuple[Function, Function, np.ndarray]] = {
    "logdet": (single(logdet), inv, S2),
    "logdet, d = 4": (single(logdet), inv, spaces.positive_definite.draw(np.random.default_rng(1), 4, 20.0)),
    "trace of the inverse": (single(lambda A: np.trace(np.linalg.inv(A))), lambda S: -inv(S) @ inv(S), S2),
    "sum of exponentials": (single(lambda x: np.exp(x).sum()), np.exp, np.array([0.3, -1.2, 2.0])),
    "by Cholesky": (single(lambda A: 2 * half_logdet(A)), inv, S2),
}


@pytest.mark.parametrize("case", SINGLE)
def test_a_function_in_single_precision_is_judged_within_its_noise(case: str) -> None:
    f, gradient, point = SINGLE[case]
    right = gradient(point)
    assert check_gradient(f, right, point).correct is True
    assert check_gradient(f, right.astype(np.float32), point).correct is True
    for wrong in (-right, 0 * right, 2 * right, 1.01 * right):
        assert check_gradient(f, wrong, point).correct is False
    for scheme in ("forward", "central", "richardson"):
        table, error = fd_gradient(
            f, point, "frobenius" if point.ndim == 2 else "entrywise", scheme, return_error=True
        )
        assert (np.abs(table - right) <= 10 * error).all()
        assert error.max() <= 0.02 * np.abs(right).max()


# ---- differences that know little, or nothing


@pytest.mark.parametrize(
    "f",
    [
        pytest.param(single(logdet), id="single precision"),
        pytest.param(lambda A: 1e11 + logdet(A), id="a large constant"),
        pytest.param(lambda A: logdet(A) * (1 + 1e-4 * jitter(A)), id="jitter"),
    ],
)
def test_under_noise_a_right_candidate_is_never_refused_and_a_wrong_one_never_accepted(f: Function) -> None:
    for S in (S2, NEARLY_SINGULAR):
        right = inv(S)
        assert check_gradient(f, right, S).correct is not False
        for wrong in (-right, 0 * right, 2 * right):
            assert check_gradient(f, wrong, S).correct is not True


@pytest.mark.parametrize("constant", [1e16, 1e17, 1e20])
def test_where_the_values_hide_the_slope_the_verdict_is_that_nobody_can_tell(constant: float) -> None:
    for candidate in (inv(S2), -inv(S2), 0 * S2, 2 * inv(S2)):
        verdict = check_gradient(lambda A: constant + logdet(A), candidate, S2)
        assert verdict.correct is None
        assert not verdict
        assert verdict.conventions == ()
        assert verdict.message.startswith("Cannot tell whether it is right as the entrywise table")
        assert "leave out large constants" in verdict.message
        assert "cannot tell" in verdict._repr_html_()
    assert check_gradient(lambda A: 5.0, 0 * S2, S2).correct is True  # a constant of modest size is one


# ---- coordinates of unlike size

HEIGHTS = np.array([171.2, 168.4, 180.1, 175.0])
YEARS, COUNTS = np.array([1990.0, 2000, 2010, 2020]), np.array([3.0, 5, 9, 12])


def normal_in_mean_and_sd(theta: Any) -> float:
    return float(-len(HEIGHTS) * np.log(theta[1]) - ((HEIGHTS - theta[0]) ** 2).sum() / 2 / theta[1] ** 2)


def poisson(b: Any) -> float:
    rate = b[0] + b[1] * YEARS
    return float((COUNTS * rate - np.exp(rate)).sum())


def poisson_gradient(b: Any) -> np.ndarray:
    left = COUNTS - np.exp(b[0] + b[1] * YEARS)
    return np.array([left.sum(), (left * YEARS).sum()])


def far_away(x: Any) -> float:
    return float(-np.log1p((x[0] - 1e6) ** 2) - (x[1] - 3.0) ** 2)


UNITS: dict[str, tuple[Function, np.ndarray, np.ndarray]] = {
    "mean and sd": (normal_in_mean_and_sd, np.array([173.0, 1.0]), np.array([2.7, 74.81])),
    "calendar year": (poisson, np.array([-80.0, 0.041]), poisson_gradient([-80.0, 0.041])),
    "a place far from 0": (far_away, np.array([1e6 + 0.5, 2.0]), np.array([-0.8, 2.0])),
    "a zero among large": (lambda x: np.sin(x[0]) + x[1] / 1e6, np.array([0.0, 1e6]), np.array([1.0, 1e-6])),
}


@pytest.mark.parametrize("case", UNITS)
def test_every_coordinate_has_a_step_of_its_own(case: str) -> None:
    f, point, right = UNITS[case]
    assert check_gradient(f, right, point).correct is True
    for k in range(2):
        wrong = right.copy()
        wrong[k] *= -1
        assert check_gradient(f, wrong, point).correct is False
    for scheme in ("forward", "central", "richardson"):
        table, error = fd_gradient(f, point, scheme=scheme, return_error=True)
        assert (np.abs(table - right) <= 10 * error).all()
        assert_allclose(table, right, rtol=1e-4)
        assert_allclose(fd_gradient(f, point, scheme=scheme), right, rtol=1e-4)


def test_log_cholesky_coordinates_of_unlike_deviations_are_judged_right() -> None:
    X = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 1000.0]
    theta = np.array([0.0, 0.5, math.log(1000.0)])

    def f(t: Any) -> float:
        return loglik(X, np.zeros(2), from_log_cholesky(t))

    by_complex_free_means, error = fd_gradient(f, theta, scheme="richardson", return_error=True)
    assert (error * 1e4 <= np.abs(by_complex_free_means).max()).all()
    assert check_gradient(f, by_complex_free_means, theta).correct is True
    assert check_gradient(f, 1.01 * by_complex_free_means, theta).correct is False


# ---- a candidate in single precision


@pytest.mark.parametrize("convention", ["entrywise", "frobenius", "free"])
def test_a_candidate_in_single_precision_is_right_within_its_own(convention: str) -> None:
    right = convert_gradient(inv(S2), "entrywise", convention)
    for candidate in (
        right.astype(np.float32),
        right.astype(np.float32).tolist(),
        right.astype(np.float32).astype(float),
    ):
        assert check_gradient(logdet, candidate, S2, convention).correct is True
    assert check_gradient(logdet, (1.001 * right).astype(np.float32), S2, convention).correct is False
    assert (
        check_gradient(logdet, right * (1 + 1e-6), S2, convention).correct is False
    )  # of float64 more is asked
    assert check_gradient(logdet, right * (1 + 1e-6), S2, convention, rtol=1e-5).correct is True


# ---- a complex step that drops a part


@pytest.mark.parametrize("low", [1e-3, 1e-5, 1e-7])
def test_a_term_that_drops_its_imaginary_part_is_missed_by_nobody(low: float) -> None:
    S = turned(low)
    P = inv(S)

    def f(A: Any) -> Any:
        return (np.trace(np.linalg.inv(A), axis1=-2, axis2=-1) + logdet(A)) / 2

    assert check_gradient(f, (P - P @ P) / 2, S).correct is True
    assert check_gradient(f, -P @ P / 2, S).correct is False
    with pytest.raises(ValueError, match="the complex step fails for this f"):
        fd_gradient(f, S, scheme="complex")

    def analytic(A: Any) -> Any:
        return (np.trace(np.linalg.inv(A), axis1=-2, axis2=-1) + ops.logdet(A)) / 2

    assert_allclose(fd_gradient(analytic, S, scheme="complex"), (P - P @ P) / 2, rtol=1e-14 / low)


# ---- a flat place


def test_at_a_flat_place_a_zero_is_right() -> None:
    def kullback_leibler(v: Any) -> Any:
        return (v[0, 0] / 7 - logdet(v) + np.log(7) - 1) / 2

    verdict = check_gradient(kullback_leibler, [[0.0]], [[7.0]])
    assert verdict.correct is True
    assert "it is 0 as far as differences can tell" in verdict.message
    assert check_gradient(kullback_leibler, [[1e-3]], [[7.0]]).correct is False


@given(d=st.integers(1, 4), seed=seeds)
@settings(max_examples=20)
def test_at_its_minimum_the_divergence_of_two_normals_has_no_slope(d: int, seed: int) -> None:
    S = spaces.positive_definite.draw(np.random.default_rng(seed), d, 30.0)
    P, constant = inv(S), float(logdet(S))

    def divergence(A: Any) -> Any:
        return (np.trace(P @ A, axis1=-2, axis2=-1) - logdet(A) + constant - d) / 2

    for candidate in (np.zeros((d, d)), (P - np.linalg.inv(S)) / 2):
        assert check_gradient(divergence, candidate, S).correct is True
    assert check_gradient(divergence, 1e-3 * P, S).correct is False


# ---- hints under noise, and a table of which the symmetric part is right


@pytest.mark.parametrize(
    ("f", "S"),
    [
        pytest.param(single(logdet), np.array([[1.0, 0.9], [0.9, 1.0]]), id="single precision"),
        pytest.param(logdet, turned(1e-11), id="condition 1e11"),
    ],
)
def test_under_noise_no_hint_is_given_that_the_data_contradict(f: Function, S: np.ndarray) -> None:
    verdict = check_gradient(f, -inv(S), S)
    assert verdict.correct is False
    assert verdict.mistake in ("sign", None)
    assert "the term of the data is missing" not in verdict.message


@pytest.mark.parametrize("turn", [0.25, -1.0])
def test_a_table_of_which_only_the_symmetric_part_is_right_is_told_the_remedy(turn: float) -> None:
    def f(A: Any) -> Any:
        return np.linalg.cholesky((A + A.T) / 2).sum()

    right = fd_gradient(f, S2, "frobenius", "richardson")
    verdict = check_gradient(f, right + turn * np.array([[0, 1], [-1, 0]]), S2)
    assert verdict.correct is False
    assert verdict.mistake == "antisymmetric_part"
    assert "(G + G^T) / 2" in verdict.message


# ---- one vocabulary of what the caller knows better


def test_noise_and_step_have_one_name_everywhere() -> None:
    f = single(logdet)
    table, error = fd_gradient(f, S2, return_error=True, noise=1e-3)
    _, measured = fd_gradient(f, S2, return_error=True)
    assert error.max() > 10 * measured.max()
    assert (np.abs(table - inv(S2)) <= error).all()
    assert fd_differential(f, S2, np.eye(2), return_error=True, noise=1e-3)[1] > 1e-3
    assert check_gradient(f, 1.001 * inv(S2), S2, noise=1e-5).correct is True
    assert check_gradient(f, inv(S2), S2, step=0.25).correct is True
    mode = laplace(single(lambda t: -(t @ S2.astype(np.float32) @ t) / 2), [1.0, 2.0])
    assert_allclose(mode.covariance, inv(S2), rtol=1e-2)
    with pytest.raises(ValueError, match=r"^noise must not be negative"):
        fd_gradient(f, S2, noise=-1.0)
    with pytest.raises(ValueError, match=r"^rtol must not be negative"):
        check_gradient(f, inv(S2), S2, rtol=-1.0)


def test_a_line_in_single_precision_follows_from_one_that_is_not() -> None:
    lines: list[Any] = [("in double", logdet), ("in single", lambda A: np.float64(single(logdet)(A)))]
    assert len(check_steps(*lines, where="positive definite").rows) == 2
    with pytest.raises(AssertionError, match="does not follow"):
        check_steps(lines[0], ("wrong", lambda A: 1.001 * single(logdet)(A)), where="positive definite")


def test_arguments_in_another_order_are_recognised() -> None:
    with pytest.raises(TypeError, match="are the two swapped"):
        check_gradient(inv(S2), logdet, S2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="at must be the point, but it is a function"):
        check_gradient(inv(S2), S2, logdet)  # type: ignore[arg-type]


def test_a_failed_assertion_shows_what_is_wrong() -> None:
    verdict = check_gradient(logdet, -inv(S2), S2)
    assert "It looks like this: the sign is wrong." in repr(verdict)
