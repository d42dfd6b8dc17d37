"""The rows of the truth table that the chapter on second derivatives treats, each claim executed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from tolerances import assert_close

from mvnlib import fd_gradient, laplace, logpdf, spaces
from mvnlib.identities import TABLE


@pytest.fixture
def point() -> dict[str, Any]:
    return TABLE["hessian_mu"].draw(np.random.default_rng(27436), 3)


def hessian(point: dict[str, Any], first: str, second: str) -> np.ndarray:
    """Differentiate the log density in one variable and then in another, by differences of its value alone."""

    def log_density(**moved: Any) -> float:
        at = point | moved
        return float(logpdf(at["x"][None], at["mu"], at["Sigma"])[0])

    def slope(value: Any) -> np.ndarray:
        def along(v: Any) -> float:
            return log_density(**({first: v, second: value} if first != second else {first: value + v}))

        at = np.zeros(3) if first == second else point[first]
        return fd_gradient(along, at, scheme="richardson", step=0.5)

    return fd_gradient(slope, point[second], scheme="richardson", step=0.5)


def test_twice_differentiated_the_transpose_is_a_sum_and_the_matrix_a_table_of_constants() -> None:
    """S1-q1: in explicit entries, -(t - m)^T P (t - m) / 2 has the second derivatives -P_ij."""
    t, m, P = (
        getattr(spaces, kind).symbols(letter, 3)
        for kind, letter in (("vector", "t"), ("vector", "m"), ("symmetric", "P"))
    )
    log_p = -((t - m) @ P @ (t - m)) / 2
    in_sums = -sum((t[k] - m[k]) * P[k, j] * (t[j] - m[j]) for k in range(3) for j in range(3)) / 2
    assert sp.expand(log_p - in_sums) == 0
    assert all(sp.diff(log_p, t[i], t[j]) == -P[i, j] for i in range(3) for j in range(3))


def test_the_hessian_in_the_mean_is_minus_the_inverse(point: dict[str, Any]) -> None:
    """S1-mumu: the one left to the reader."""
    assert_close(hessian(point, "mu", "mu"), -np.linalg.inv(point["Sigma"]), 1e-8)
    far = point | {"x": point["x"] + 5}
    assert_close(hessian(far, "mu", "mu"), -np.linalg.inv(point["Sigma"]), 1e-8)


def test_in_the_argument_the_hessian_is_the_same_and_the_mixed_one_has_the_other_sign(
    point: dict[str, Any],
) -> None:
    """S1-arg: the question differentiates in theta, the answer in mu."""
    P = np.linalg.inv(point["Sigma"])
    assert_close(hessian(point, "x", "x"), -P, 1e-8)
    assert_close(hessian(point, "x", "mu"), P, 1e-8)
    assert_close(hessian(point, "mu", "x"), P, 1e-8)


def test_at_the_mode_the_inverse_covariance_is_minus_the_second_derivative(point: dict[str, Any]) -> None:
    """S1-lap: exact for a normal density, with log p(mode) for the constant; of third order otherwise."""
    x, mu, Sigma = point["x"], point["mu"], point["Sigma"]
    top = logpdf(mu[None], mu, Sigma)[0]
    quadratic = top - (x - mu) @ np.linalg.solve(Sigma, x - mu) / 2
    assert abs(logpdf(x[None], mu, Sigma)[0] - quadratic) < 1e-12
    found = laplace(lambda t: logpdf(t[None], mu, Sigma)[0], np.zeros(3))
    assert_close(found.mode, mu, 1e-9)
    assert_close(found.covariance, Sigma, 1e-9)
    assert abs(found.log_normaliser) < 1e-9

    a = 5.0  # theta^a e^-theta, with mode a and H = 1 / a
    steps = np.array([0.1, 0.05, 0.025])
    true = a * np.log(a + steps) - (a + steps)
    rest = true - (a * np.log(a) - a - steps**2 / (2 * a))
    assert np.abs(np.diff(np.log(rest)) / np.diff(np.log(steps)) - 3).max() < 0.05
    elsewhere = -a / 8.0**2  # the second derivative at 8, beside the mode, is another number
    assert abs(elsewhere + 1 / a) > 0.1


def test_discrete_data_are_no_obstacle_and_the_three_curvatures_differ() -> None:
    """S1-q2: a Cauchy observation at distance 2 has observed information -0.24 where 0.5 is expected."""
    u = sp.Symbol("u", real=True)
    log_f = -sp.log(sp.pi * (1 + u**2))
    observed = -sp.diff(log_f, u, 2)
    assert observed.subs(u, 2) == sp.Rational(-6, 25)
    assert sp.integrate(sp.simplify(observed) * sp.exp(log_f), (u, -sp.oo, sp.oo)) == sp.Rational(1, 2)
    # 7 of 10 successes, prior normal with variance 1 in the log odds: posterior curvature is observed plus 1.
    found = laplace(lambda t: 7 * t[0] - 10 * np.logaddexp(0, t[0]) - t[0] ** 2 / 2, [0.0])
    chance = 1 / (1 + np.exp(-found.mode[0]))
    assert_close(1 / found.covariance, [[10 * chance * (1 - chance) + 1]], 1e-7)
    # A parameter of whole numbers has no second derivative: nothing between its values is defined.
    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        laplace(
            lambda t: float(t[0]) * np.log(2.0) if float(t[0]).is_integer() and t[0] <= 9 else -np.inf, [3.0]
        )


def test_the_second_derivative_is_negative_only_at_a_smooth_interior_mode() -> None:
    """S1-neg: +2 at a mode on an edge, 0 on a flat top, positive between the modes of a mixture."""
    t = sp.Symbol("t", real=True)
    mixture = sp.log(sp.exp(-((t - 3) ** 2) / 2) + sp.exp(-((t + 3) ** 2) / 2))
    for f, at, second in ((t**2, 1, 2), (-(t**4), 0, 0), (mixture, 0, 8)):
        assert sp.simplify(sp.diff(f, t, 2).subs(t, at)) == second
    refused = (
        (lambda t: t[0] ** 2 if 0 <= t[0] <= 1 else -np.inf, 0.5),
        (lambda t: -(t[0] ** 4), 0.7),
        (lambda t: np.logaddexp(-((t[0] - 3) ** 2) / 2, -((t[0] + 3) ** 2) / 2), 0.0),
    )
    for log_density, start in refused:
        with pytest.raises(np.linalg.LinAlgError, match="no interior mode"):
            laplace(log_density, [start])
    assert np.linalg.eigvalsh(-np.linalg.inv([[2.0, 0.6], [0.6, 1.0]])).max() < 0  # the normal: everywhere


def test_a_mode_that_passes_may_have_half_of_the_integral() -> None:
    """S1-neg: two normals, three standard deviations to either side; each top is a normal density's."""
    found = laplace(lambda t: np.logaddexp(-((t[0] - 3) ** 2) / 2, -((t[0] + 3) ** 2) / 2), [0.1])
    grid, width = np.linspace(-15, 15, 3001, retstep=True)
    true = np.log(np.exp(np.logaddexp(-((grid - 3) ** 2) / 2, -((grid + 3) ** 2) / 2)).sum() * width)
    assert_close(found.mode, [3.0], 1e-6)
    assert_close(found.covariance, [[1.0]], 1e-5)
    assert abs(true - found.log_normaliser - np.log(2)) < 1e-5


def test_the_cookbook_of_2012_numbers_the_gradient_of_the_mean_86(point: dict[str, Any]) -> None:
    """S1-ref: (86) is d/ds (x - s)^T W (x - s) = -2 W (x - s), and half of it, with the minus, the score."""
    x, mu, W = point["x"], point["mu"], np.linalg.inv(point["Sigma"])
    form = fd_gradient(lambda s: (x - s) @ W @ (x - s), mu, scheme="complex")
    assert_close(form, -2 * W @ (x - mu), 1e-12)
    assert_close(-form / 2, TABLE["normal_logpdf_mu"].gradient(point), 1e-12)
    assert "eq. (86)" in TABLE["normal_logpdf_mu"].source
