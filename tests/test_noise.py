"""How the noise of a function is measured, and what values on a circle tell of a complex step."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mvnlib import fd_gradient, ops
from mvnlib._scaling import EPS
from mvnlib.differences.noise import measured_noise, usual_noise

Line = Callable[[np.ndarray], np.ndarray]


def smooth(t: np.ndarray) -> np.ndarray:
    return np.exp(t) / (2 + t)


def white(t: np.ndarray) -> np.ndarray:
    """Standard normal numbers that belong to the points, not to the calls."""
    return np.array([np.random.default_rng(zlib.crc32(np.float64(s).tobytes())).standard_normal() for s in t])


def noisy(size: float) -> Line:
    return lambda t: smooth(t) + size * white(t)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-9, 1e-12])
def test_white_noise_is_measured_within_a_factor_of_four(size: float, known: bool) -> None:
    found = float(measured_noise(noisy(size), known, 16 * EPS))
    assert size / 4 < found < 4 * size


@pytest.mark.parametrize("decimals", [2, 4, 7])
def test_values_rounded_to_decimals_have_the_noise_of_rounding(decimals: int) -> None:
    found = float(measured_noise(lambda t: np.round(smooth(t), decimals), True, 16 * EPS))
    assert 0.1 * 10.0**-decimals < found < 4 * 10.0**-decimals


def test_values_in_single_precision_have_the_noise_of_single_precision() -> None:
    found = float(measured_noise(lambda t: smooth(t).astype(np.float32).astype(float), True, 16 * EPS))
    assert 2e-9 < found < 1e-7


def test_a_smooth_function_in_double_precision_needs_no_second_look() -> None:
    found = usual_noise(smooth(2.0**-10 * np.arange(-4.0, 5.0)))
    assert found is not None
    assert float(found) < 10 * EPS


@pytest.mark.parametrize("width", [1e-2, 1e-4, 1e-6, 1e-8])
def test_a_function_that_turns_within_the_guessed_length_is_not_taken_for_noise(width: float) -> None:
    found = float(measured_noise(lambda t: np.log1p((t / width + 0.3) ** 2), False, 16 * EPS))
    assert found < 1e-12


def test_a_constant_has_no_noise() -> None:
    assert float(measured_noise(lambda t: np.full(t.shape, 3.0), True, 16 * EPS)) == 0


def test_components_of_unlike_noise_are_told_apart() -> None:
    def both(t: np.ndarray) -> np.ndarray:
        return np.stack([smooth(t), noisy(1e-5)(t)], axis=1)

    exact, blurred = measured_noise(both, True, 16 * EPS)
    assert exact < 1e-14
    assert 2e-6 < blurred < 5e-5


def test_near_the_end_of_the_domain_finer_spacings_are_used() -> None:
    def edge(t: np.ndarray) -> np.ndarray:
        if t.max() > 1e-4:
            raise ValueError("outside")
        return np.sqrt(2e-4 - t)

    assert float(measured_noise(edge, False, 16 * EPS)) < 1e-15


# ---- circles

S = np.array([[2.0, 0.5], [0.5, 1.0]])
DROPS: dict[str, Callable[[Any], Any]] = {
    "a small term": lambda A: ops.tr(ops.inv(A)) + 1e-6 * np.abs(A[..., 0, 0]),
    "beside a large one": lambda A: 1e6 * ops.tr(A @ A) + np.linalg.slogdet(A)[1],
    "conjugates": lambda A: ops.tr(A @ np.conj(A)),
    "the real part": lambda A: ops.det(A).real,
}


@pytest.mark.parametrize("case", DROPS)
@pytest.mark.parametrize("convention", ["entrywise", "free"])
def test_a_term_that_drops_its_imaginary_part_is_found_out_beside_larger_ones(
    case: str, convention: str
) -> None:
    with pytest.raises(ValueError, match="the complex step fails for this f"):
        fd_gradient(DROPS[case], S, convention, "complex")


ANALYTIC: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    "of a matrix": (lambda A: ops.logdet(A) + ops.tr(A @ A), np.linalg.inv(S) + 2 * S),
    "with a large constant": (lambda A: 1e6 + ops.logdet(A), np.linalg.inv(S)),
    "that is linear": (lambda A: ops.tr(A), np.eye(2)),
    "with no slope": (lambda A: 3.0 + 0 * A[..., 0, 0], np.zeros((2, 2))),
}


@pytest.mark.parametrize("case", ANALYTIC)
def test_what_is_analytic_passes_and_is_exact(case: str) -> None:
    f, right = ANALYTIC[case]
    assert_allclose(fd_gradient(f, S, scheme="complex"), right, rtol=1e-13, atol=1e-14)


def test_a_function_that_is_analytic_only_near_the_point_passes_on_a_smaller_circle() -> None:
    x = np.array([1e-3, 2.0])  # the logarithm ends a thousandth away, and the size of x says nothing of it
    found = fd_gradient(lambda x: np.log(x[0]) + np.exp(50 * x[1]) / 1e40, x, scheme="complex")
    assert_allclose(found, [1000.0, 50 * np.exp(100.0) / 1e40], rtol=1e-12)
