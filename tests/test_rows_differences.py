"""What the chapter on finite differences claims of steps and protocols, and its part of row S1-R."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mvnlib import check_gradient, fd_differential, fd_gradient, logpdf, spaces, step_sweep
from mvnlib.identities import TABLE
from mvnlib.ops import inv, logdet, outer, tr

EPS = float(np.finfo(float).eps)


def normal(seed: int, d: int, condition: float) -> tuple[Any, np.ndarray, np.ndarray]:
    """A log density by slogdet and inv, content with any matrix; its gradient; the covariance."""
    rng = np.random.default_rng(seed)
    S = spaces.positive_definite.draw(rng, d, condition)
    y = np.linalg.cholesky(S) @ rng.normal(size=d)
    A = -(inv(S) - inv(S) @ outer(y, y) @ inv(S)) / 2
    return lambda S: -(logdet(S) + tr(inv(S) @ outer(y, y))) / 2, A, S


def error(table: np.ndarray, right: np.ndarray) -> float:
    return float(np.abs(table - right).max() / np.abs(right).max())


def test_the_scripts_protocol_is_beaten_by_the_log_by_two_sides_and_by_a_step_that_follows_lambda_min() -> (
    None
):
    """S1-R, the protocol: forward differences of the density at h = 1e-5, in pairs."""
    script, well = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        W, mu = rng.normal(size=(4, 4)), rng.normal(size=4)
        Sigma = W @ W.T
        x = rng.multivariate_normal(mu, Sigma)
        P = np.linalg.inv(Sigma)
        A = -(P - P @ np.outer(x - mu, x - mu) @ P) / 2
        B = 2 * A - np.diag(np.diag(A))
        log_f = lambda S, x=x, mu=mu: logpdf(x[None, :], mu, S)[0]  # noqa: E731
        f = np.exp(log_f(Sigma))
        try:
            forward = fd_gradient(lambda S, log_f=log_f: np.exp(log_f(S)), Sigma, "free", "forward", 1e-5)
        except np.linalg.LinAlgError:  # the script's shift has left the cone, and R returns 0
            forward = np.full((4, 4), -f / 1e-5)
        script.append(error(forward / f, B))
        well.append(error(fd_gradient(log_f, Sigma, "free"), B))
    assert 1e-5 < np.median(script) < 1e-3
    assert np.median(well) < 1e-8
    assert max(well) < 1e-6


@pytest.mark.parametrize(("scheme", "order"), [("forward", 1), ("central", 2), ("complex", 2)])
def test_truncation_falls_with_the_order_of_the_scheme(scheme: str, order: int) -> None:
    rng = np.random.default_rng(0)
    S, E = spaces.positive_definite.draw(rng, 3), spaces.symmetric.direction(rng, 3)
    steps = np.geomspace(1e-3, 1e-2, 5)
    sweep = step_sweep(logdet, S, E, steps, tr(inv(S) @ E), [scheme])
    slope = np.polyfit(np.log(steps), np.log(sweep.errors[scheme]), 1)[0]
    assert abs(slope - order) < 0.05


@pytest.mark.parametrize(("scheme", "order"), [("forward", 1), ("central", 2)])
def test_the_best_step_and_its_error_are_known_beforehand(scheme: str, order: int) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        S, E = spaces.positive_definite.draw(rng, 3), spaces.symmetric.direction(rng, 3)
        powers = np.linalg.eigvals(inv(S) @ E).real ** (order + 1)
        a = abs(powers.sum()) / (order + 1)  # log(1 + x) and artanh(x) have 1 / (order + 1) there
        b = (3 - order) * EPS * max(abs(logdet(S)), 1.0)
        h = (b / (order * a)) ** (1 / (order + 1))
        seen = abs(fd_differential(logdet, S, E, scheme, step=h) - tr(inv(S) @ E))
        assert seen < 10 * (1 + 1 / order) * b / h


@pytest.mark.parametrize(("scheme", "step"), [("forward", 0.01), ("central", 0.05)])
def test_two_steps_tell_the_truncation_with_factor_2_forward_and_4_3_central(
    scheme: str, step: float
) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        S, E = spaces.positive_definite.draw(rng, 3), spaces.symmetric.direction(rng, 3)
        slope, estimate = fd_differential(logdet, S, E, scheme, step, return_error=True)
        assert abs(estimate / abs(slope - tr(inv(S) @ E)) - 1) < 0.05


def test_richardsons_estimate_is_the_error_of_the_value_from_four_steps() -> None:
    rng = np.random.default_rng(0)
    S, E = spaces.positive_definite.draw(rng, 3), spaces.symmetric.direction(rng, 3)
    step, exact = 0.8, tr(inv(S) @ E)
    column = [fd_differential(logdet, S, E, "central", step / 2**k) for k in range(1, 5)]
    for k in range(1, 4):
        column = [(4**k * b - a) / (4**k - 1) for a, b in pairwise(column)]
    slope, estimate = fd_differential(logdet, S, E, "richardson", step, return_error=True)
    assert abs(estimate / abs(column[0] - exact) - 1) < 0.2
    assert abs(slope - exact) < estimate / 4


def test_a_step_scaled_by_the_entries_is_wrong_by_any_factor_without_a_word() -> None:
    errors = []
    for seed in range(200):
        f, A, S = normal(seed, 4, 1e6)
        naive = fd_gradient(f, S, "frobenius", step=EPS ** (1 / 3) * np.abs(S).max())
        errors.append((error(naive, A), error(fd_gradient(f, S, "frobenius"), A)))
    (median, _), (worst, good) = np.median(errors, axis=0), np.max(errors, axis=0)
    assert median > 1
    assert worst > 100
    assert good < 1e-4


def test_symmetric_directions_and_pairs_accept_a_transpose() -> None:
    form = TABLE["bilinear_inv"]
    rng = np.random.default_rng(0)
    point = form.draw(rng, 3, space=spaces.positive_definite)
    S, G = point["S"], form.gradient(point)
    assert error(G.T, G) > 0.01
    for _ in range(5):
        E = spaces.symmetric.direction(rng, 3)
        df = fd_differential(form.along(point), S, E, "complex")
        assert abs(np.sum(G.T * E) - df) < 1e-10 * np.abs(G).max()
    assert check_gradient(form.along(point), G.T, S).mistake == "transpose"


def test_random_directions_do_not_feel_an_entry_that_drowns() -> None:
    f, A, S = normal(0, 3, 10.0)
    D = np.diag([1.0, 1.0, 1e4])
    wide = D @ S @ D  # the third variable in small units
    small = inv(D) @ A @ inv(D)
    wrong = small.copy()
    wrong[2, 2] *= -1

    def g(S: np.ndarray) -> Any:
        return f(inv(D) @ S @ inv(D))

    E = spaces.symmetric.direction(np.random.default_rng(2), 3)
    df = fd_differential(g, wide, E, "complex")
    assert abs(np.sum(wrong * E) - df) < 1e-6 * abs(df)
    assert check_gradient(g, small, wide).correct
    assert not check_gradient(g, wrong, wide).correct


def test_the_complex_step_through_cholesky_is_zero_and_fd_gradient_says_so() -> None:
    def by_cholesky(S: np.ndarray) -> Any:
        return 2 * np.log(np.diag(np.linalg.cholesky(S))).sum()

    _, _, S = normal(1, 3, 10.0)
    E = spaces.symmetric.direction(np.random.default_rng(3), 3)
    assert np.imag(by_cholesky(S + 1e-20j * E)) == 0
    with pytest.raises(ValueError, match="complex step fails"):
        fd_gradient(by_cholesky, S, "frobenius", "complex")
