"""The normal in any units: each coordinate times a power of two of its own changes no digit of any result.

Where the result itself is no float, that is said; in between there are no wrong numbers, whatever the scale.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tolerances import rounding

from mvnlib import (
    NormalStatistics,
    cholesky_differential,
    cholesky_pullback,
    fisher_information,
    fisher_information_inverse,
    fisher_information_product,
    fit_normal,
    from_log_cholesky,
    laplace,
    log_cholesky,
    loglik,
    loglik_and_gradient,
    loglik_and_gradient_factor,
    loglik_and_gradient_precision,
    loglik_differences,
    loglik_gradient,
    loglik_gradient_factor,
    loglik_gradient_precision,
    loglik_hessian,
    loglik_hessian_operator,
    logpdf,
    natural_gradient,
    spaces,
    unvech,
    vech,
)
from mvnlib.conventions import CONVENTIONS

Point = dict[str, np.ndarray]
seeds = st.integers(0, 2**32 - 1)


def draw(n: int, d: int, seed: int) -> Point:
    """A point with data and directions, all in binary digits few enough that a shift of the data is exact."""
    rng = np.random.default_rng(seed)
    Sigma = spaces.positive_definite.draw(rng, d, 100.0)
    L = np.linalg.cholesky(Sigma)
    mu = rng.integers(-99, 99, size=d) / 64
    return {
        "X": mu + np.round(64 * rng.standard_normal((n, d)) @ L.T) / 64,
        "mu": mu,
        "Sigma": Sigma,
        "L": L @ np.linalg.qr(rng.standard_normal((d, d))).Q,
        "lower": L,
        "P": spaces.positive_definite.draw(rng, d, 100.0),
        "dmu": rng.standard_normal(d),
        "dSigma": spaces.symmetric.direction(rng, d),
        "g": rng.standard_normal(d),
        "G": spaces.symmetric.direction(rng, d),
        "bar": rng.standard_normal((d, d)),
    }


def moved(point: Point, a: np.ndarray, b: np.ndarray) -> Point:
    """The same point when x is a x + b a."""
    up, down = a[:, None], 1 / a[:, None]
    return {
        "X": (point["X"] + b) * a,
        "mu": (point["mu"] + b) * a,
        "Sigma": point["Sigma"] * up * a,
        "L": point["L"] * up,
        "lower": point["lower"] * up,
        "P": point["P"] * down / a,
        "dmu": point["dmu"] * a,
        "dSigma": point["dSigma"] * up * a,
        "g": point["g"] / a,
        "G": point["G"] * down / a,
        "bar": point["bar"] * down,
    }


# How each kind of result moves with the units, given a.


def vector(a: np.ndarray) -> Any:  # as a direction in mu
    return a


def covector(a: np.ndarray) -> Any:  # as a gradient in mu
    return 1 / a


def table(a: np.ndarray) -> Any:  # as a direction in Sigma: a_i a_j, one after the other
    return a[:, None], a


def cotable(a: np.ndarray) -> Any:
    return 1 / a[:, None], 1 / a


def corows(a: np.ndarray) -> Any:
    return 1 / a[:, None]


def rows(a: np.ndarray) -> Any:
    return a[:, None]


def paired(a: np.ndarray) -> Any:
    """The units of vech(Sigma) twice, in an order in which nothing overflows that need not."""
    i, j = (
        vech(np.arange(a.size)[:, None] + np.zeros(a.size)),
        vech(np.arange(a.size) + np.zeros((a.size, 1))),
    )
    u, v = a[i.astype(int)], a[j.astype(int)]
    return u[:, None], v, v[:, None], u


def copaired(a: np.ndarray) -> Any:
    return paired(1 / a)


def nothing(a: np.ndarray) -> Any:
    return 1.0


#: name: (function of the point, kinds of its results).
CASES: dict[str, tuple[Callable[[Point], Any], Any]] = {
    **{
        f"loglik_gradient, {c}": (
            lambda p, c=c: loglik_gradient(p["X"], p["mu"], p["Sigma"], convention=c),
            (covector, cotable),
        )
        for c in CONVENTIONS
    },
    **{
        f"loglik_differences, {c}": (
            lambda p, c=c: loglik_differences(p["X"], p["mu"], p["Sigma"], convention=c),
            cotable,
        )
        for c in CONVENTIONS
    },
    "loglik_and_gradient": (
        lambda p: loglik_and_gradient(p["X"], p["mu"], p["Sigma"])[1],
        (covector, cotable),
    ),
    "loglik_gradient_factor": (
        lambda p: loglik_gradient_factor(p["X"], p["mu"], p["L"]),
        (covector, corows),
    ),
    "loglik_and_gradient_factor": (
        lambda p: loglik_and_gradient_factor(p["X"], p["mu"], p["lower"])[1],
        (covector, corows),
    ),
    "loglik_gradient_precision": (
        lambda p: loglik_gradient_precision(p["X"], p["mu"], p["P"]),
        (covector, table),
    ),
    "loglik_and_gradient_precision": (
        lambda p: loglik_and_gradient_precision(p["X"], p["mu"], p["P"])[1],
        (covector, table),
    ),
    "loglik_hessian": (
        lambda p: loglik_hessian(p["X"], p["mu"], p["Sigma"], p["dmu"], p["dSigma"]),
        (covector, cotable),
    ),
    "loglik_hessian_operator": (
        lambda p: loglik_hessian_operator(p["X"], p["mu"], p["Sigma"])(p["dmu"], p["dSigma"]),
        (covector, cotable),
    ),
    "fisher_information": (lambda p: fisher_information(p["Sigma"]), (cotable, copaired)),
    "fisher_information_inverse": (lambda p: fisher_information_inverse(p["Sigma"]), (table, paired)),
    "fisher_information_product": (
        lambda p: fisher_information_product(p["Sigma"], p["dmu"], p["dSigma"]),
        (covector, cotable),
    ),
    "natural_gradient": (lambda p: natural_gradient(p["Sigma"], p["g"], p["G"]), (vector, table)),
    "cholesky_differential": (lambda p: cholesky_differential(p["lower"], p["dSigma"]), rows),
    "cholesky_pullback": (lambda p: cholesky_pullback(p["lower"], p["bar"]), cotable),
    "log_cholesky and back": (lambda p: from_log_cholesky(log_cholesky(p["Sigma"])), table),
}


def scaled(part: np.ndarray, kind: Callable[[np.ndarray], Any], a: np.ndarray) -> np.ndarray:
    factors = kind(a)
    for factor in factors if isinstance(factors, tuple) else (factors,):
        part = part * factor
    return part


def outcome(call: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """What a call returns, or what it says in refusing."""
    try:
        return call(*arguments), ""
    except ValueError as error:
        return None, str(error)


def as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("case", CASES)
@given(n=st.integers(1, 6), seed=seeds, k=st.lists(st.integers(-240, 240), min_size=1, max_size=4))
@example(n=3, seed=0, k=[240, -240, 0, 120])
@example(n=3, seed=1, k=[127, -127])  # the last units that are left as they are, and the first that are not
@example(n=3, seed=2, k=[129, -129])
def test_powers_of_two_as_units_change_no_digit(case: str, n: int, seed: int, k: list[int]) -> None:
    call, kinds = CASES[case]
    d, a = len(k), np.ldexp(1.0, k)
    point = draw(n, d, seed)
    b = np.random.default_rng(seed).integers(-1000, 1000, size=d).astype(float)
    plain, there = as_tuple(call(point)), as_tuple(call(moved(point, a, b)))
    for part, found, kind in zip(plain, there, as_tuple(kinds), strict=True):
        assert found.shape == part.shape
        expected = scaled(part, kind, a)
        if case.startswith("log_cholesky"):  # logarithms do round
            deviations = np.sqrt(point["Sigma"].diagonal()) * a
            assert (np.abs(found - expected) <= rounding(1e3) * deviations[:, None] * deviations).all()
        else:
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("case", CASES)
@given(
    n=st.integers(1, 6),
    seed=seeds,
    k=st.lists(
        st.sampled_from([-1074, -1000, -600, -530, -500, 0, 500, 505, 512, 600, 1000]), min_size=1, max_size=3
    ),
)
@example(n=2, seed=0, k=[511])
@example(n=2, seed=0, k=[-537])
@example(n=2, seed=0, k=[300, -300])
def test_at_any_scale_a_result_is_finite_or_refused(case: str, n: int, seed: int, k: list[int]) -> None:
    """No warning from within, and no infinity, though the arguments be at the ends of the range or beyond."""
    call, _ = CASES[case]
    with np.errstate(all="ignore"):
        there = moved(draw(n, len(k), seed), np.ldexp(1.0, k), np.zeros(len(k)))
    kept = {name: value.copy() for name, value in there.items()}
    parts, refusal = outcome(call, there)
    assert refusal or all(np.isfinite(part).all() for part in as_tuple(parts))
    for name, value in there.items():
        assert np.array_equal(value, kept[name], equal_nan=True)


@given(n=st.integers(1, 6), seed=seeds, k=st.lists(st.integers(-490, 490), min_size=1, max_size=4))
@example(n=3, seed=0, k=[490, -490, 0, 260])
def test_the_log_likelihood_changes_by_the_logarithm_of_the_units(n: int, seed: int, k: list[int]) -> None:
    d, a = len(k), np.ldexp(1.0, k)
    point = draw(n, d, seed)
    b = np.random.default_rng(seed).integers(-1000, 1000, size=d).astype(float)
    there, shift = moved(point, a, b), sum(k) * np.log(2)
    terms = np.abs(logpdf(point["X"], point["mu"], point["Sigma"])) + np.abs(k).sum() * np.log(2)
    for p, sign in ((point, 0), (there, 1)):
        rows = logpdf(p["X"], p["mu"], p["Sigma"])
        plain = logpdf(point["X"], point["mu"], point["Sigma"])
        assert (np.abs(rows + sign * shift - plain) <= rounding(units=4) * terms).all()
        X, mu = p["X"], p["mu"]
        allowed = rounding(100, units=20) * terms.sum()
        for value in (
            loglik(X, mu, p["Sigma"]),
            loglik_and_gradient(X, mu, p["Sigma"])[0] if max(map(abs, k)) < 400 else rows.sum(),
            loglik_and_gradient_factor(X, mu, p["lower"])[0],
            NormalStatistics.from_data(X).loglik(mu, p["Sigma"]),
        ):
            assert abs(value - rows.sum()) <= allowed
    in_P = [
        loglik_and_gradient_precision(p["X"], p["mu"], p["P"])[0] + sign * n * shift
        for p, sign in ((point, 0), (there, 1))
    ]
    size = rounding(100, units=20) * (terms.sum() + np.abs(in_P[0]))
    assert abs(in_P[0] - in_P[1]) <= size


@given(n=st.integers(6, 12), seed=seeds, k=st.lists(st.integers(-490, 490), min_size=1, max_size=4))
def test_the_estimate_moves_with_the_units(n: int, seed: int, k: list[int]) -> None:
    d, a = len(k), np.ldexp(1.0, k)
    X = draw(n, d, seed)["X"]
    (mu, Sigma), (there_mu, there_Sigma) = fit_normal(X), fit_normal(X * a)
    assert np.array_equal(there_mu, mu * a)
    assert np.array_equal(there_Sigma, Sigma * a[:, None] * a)


@given(n=st.integers(1, 6), seed=seeds, k=st.lists(st.integers(-240, 240), min_size=1, max_size=4))
def test_a_given_step_of_the_differences_is_in_the_units_of_sigma(n: int, seed: int, k: list[int]) -> None:
    """One unit for all coordinates: then one step for all entries is still one."""
    d, a = len(k), 2.0 ** k[0]
    point = draw(n, d, seed)
    there = moved(point, np.full(d, a), np.zeros(d))
    step = 2.0**-6 * np.linalg.eigvalsh(point["Sigma"])[0]
    plain = loglik_differences(point["X"], point["mu"], point["Sigma"], step=step)
    found = loglik_differences(there["X"], there["mu"], there["Sigma"], step=step * a * a)
    assert np.array_equal(found, plain / a / a)


@given(seed=seeds, k=st.lists(st.integers(-240, 240), min_size=1, max_size=3))
def test_a_laplace_approximation_moves_with_the_units(seed: int, k: list[int]) -> None:
    d, a = len(k), np.ldexp(1.0, k)
    point = draw(1, d, seed)
    P, mode = np.linalg.inv(point["Sigma"]), point["mu"]

    def at(a: np.ndarray) -> Any:
        def f(theta: np.ndarray) -> float:
            y = theta / a - mode
            return float(-y @ P @ y / 2)

        return laplace(f, np.zeros(d), lambda t: -(P @ (t / a - mode)) / a, lambda t: -(P / a[:, None] / a))

    plain, there = at(np.ones(d)), at(a)
    deviations = np.sqrt(np.diag(point["Sigma"]))
    assert (np.abs(there.mode - mode * a) <= 1e-9 * deviations * a).all()
    error = np.abs(there.covariance / a[:, None] / a - plain.covariance)
    assert (error <= 1e-9 * np.outer(deviations, deviations)).all()
    assert abs(there.log_normaliser - plain.log_normaliser - sum(k) * np.log(2)) <= 1e-8


# Against fifty digits, anywhere in the range of floats

#: Decimal exponents of the deviations of x from mu, beside those of the standard deviations.
anywhere = st.integers(-300, 300)


def precisely(X: np.ndarray, mu: np.ndarray, Sigma: np.ndarray) -> tuple[Any, Any, Any]:
    """Value and gradients as numbers of mpmath, which have no largest and no smallest."""
    S = mpmath.matrix(Sigma.tolist())
    d = S.rows
    P = mpmath.inverse(S)
    value, in_mu, in_Sigma = mpmath.mpf(0), mpmath.zeros(d, 1), mpmath.zeros(d, d)
    for x in X:
        y = mpmath.matrix([mpmath.mpf(float(s)) - mpmath.mpf(float(t)) for s, t in zip(x, mu, strict=True)])
        w = P * y
        value -= (d * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(S)) + (y.T * w)[0]) / 2
        in_mu += w
        in_Sigma -= (P - w * w.T) / 2
    return value, in_mu, in_Sigma


def agrees(found: float, exact: Any, allowed: Any) -> bool:
    """Within what is allowed, or within the smallest floats."""
    return bool(abs(mpmath.mpf(found) - exact) <= allowed + mpmath.mpf(2) ** -1070)


@given(
    n=st.integers(1, 3),
    seed=seeds,
    spreads=st.lists(st.integers(-153, 153), min_size=1, max_size=2),
    away=st.lists(anywhere, min_size=2, max_size=2),
)
@example(n=1, seed=0, spreads=[150, -150], away=[150, -150])
@example(n=2, seed=0, spreads=[-150], away=[4, 0])
@example(n=2, seed=0, spreads=[0], away=[160, 0])
@example(n=2, seed=0, spreads=[0], away=[153, 0])
def test_a_result_is_right_in_fifty_digits_or_refused_by_name(
    n: int, seed: int, spreads: list[int], away: list[int]
) -> None:
    d = len(spreads)
    rng = np.random.default_rng(seed)
    sd, far = (np.array([float(f"1e{e}") for e in exponents[:d]]) for exponents in (spreads, away))
    R = spaces.positive_definite.draw(rng, d, 10.0)
    Sigma = R * sd[:, None] * sd
    mu = rng.standard_normal(d) * np.minimum(far, 1e300)
    X = mu + rng.standard_normal((n, d)) * far
    with mpmath.workdps(700):  # of numbers 600 decades apart
        value, in_mu, in_Sigma = precisely(X, mu, Sigma)
        P = mpmath.inverse(mpmath.matrix(Sigma.tolist()))
        z = [sum(abs(mpmath.mpf(float(x[i] - mu[i]))) for x in X) * mpmath.sqrt(P[i, i]) for i in range(d)]
        reach = 1 + sum(z) ** 2  # the size of the squares that are summed
        tolerance = rounding(100)
        size = n * (reach + sum(abs(mpmath.log(Sigma[i, i])) for i in range(d)))
        # What no float can hold must be refused; what is near the end of the range may be.
        limit, near = mpmath.mpf(2) ** 1023, mpmath.mpf(10) ** 60
        far_out = (np.abs(X - mu) > 1e150).any()
        rows, refusal = outcome(logpdf, X, mu, Sigma)
        if refusal:
            assert refusal.startswith("X[")
            assert reach * near > limit
        else:
            assert agrees(float(rows.sum()), value, tolerance * size)
        found, refusal = outcome(loglik, X, mu, Sigma)
        if refusal:
            assert refusal.startswith("X is so far")
            assert reach * near > limit or far_out
        else:
            assert agrees(found, value, tolerance * size)
        largest = max(P[i, i] for i in range(d)) * n * reach
        found, refusal = outcome(loglik_and_gradient, X, mu, Sigma)
        if refusal:
            assert refusal.startswith("X is so far")
            assert reach * near > limit or largest * near > limit or far_out
        else:
            _, (g, G) = found
            for i in range(d):
                assert agrees(g[i], in_mu[i], tolerance * mpmath.sqrt(P[i, i]) * n * reach)
                for j in range(d):
                    allowed = tolerance * mpmath.sqrt(P[i, i] * P[j, j]) * n * reach
                    assert agrees(G[i, j], in_Sigma[i, j], allowed)


REFUSED: dict[str, Callable[[], Any]] = {
    "Fisher information too large": lambda: fisher_information(np.eye(2) * 1e-160),
    "Fisher information too small": lambda: fisher_information(np.eye(2) * 1e160),
    "precision too large": lambda: fisher_information([[1e-309]]),
    "inverse information too large": lambda: fisher_information_inverse(np.eye(2) * 1e160),
    "inverse information too small": lambda: fisher_information_inverse(np.eye(2) * 1e-160),
    "one of many variances": lambda: fisher_information(np.diag([1.0, 1.0, 1e-200])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_information_out_of_range_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match=r"^Sigma is of a size .* change its units"):
        REFUSED[case]()


OVERFLOWS: dict[str, tuple[Callable[[], Any], str]] = {
    "Hessian": (
        lambda: loglik_hessian([[1.0]], [0.0], [[1e-150]], [1.0], [[1e200]]),
        r"direction \(dmu, dSigma\) overflows",
    ),
    "Hessian in mu alone": (
        lambda: loglik_hessian([[0.0]], [0.0], [[1e-300]], [1e10], [[0.0]]),
        r"direction \(dmu, dSigma\) overflows",
    ),
    "information product": (
        lambda: fisher_information_product([[1e-200]], [0.0], [[1.0]]),
        r"direction \(dmu, dSigma\) overflows",
    ),
    "information product in mu": (
        lambda: fisher_information_product([[1e-200]], [1e200], [[0.0]]),
        r"direction \(dmu, dSigma\) overflows",
    ),
    "information, of which one entry is none": (
        lambda: fisher_information(np.diag([1e200, 1.0])),
        "out of the range",
    ),
    "its inverse, of which one entry is none": (
        lambda: fisher_information_inverse(np.diag([1.0, 1e-200])),
        "out of the range",
    ),
    "natural gradient": (lambda: natural_gradient([[1e200]], [0.0], [[1.0]]), "natural gradient overflows"),
    "natural gradient in mu": (
        lambda: natural_gradient([[1e200]], [1e200], [[0.0]]),
        "natural gradient overflows",
    ),
    "differences": (lambda: loglik_differences([[0.0]], [0.0], [[1e-309]]), "differences overflow"),
    "gradient in Sigma": (lambda: loglik_gradient([[0.0]], [0.0], [[1e-309]]), "gradient .* overflows"),
    "gradient in mu": (lambda: loglik_gradient([[1e160], [0.0]], [0.0], [[1e-140]]), "far from mu"),
    "gradient in P": (
        lambda: loglik_gradient_precision([[1.0]], [0.0], [[1e-309]]),
        "gradient .* overflows",
    ),
    "gradient in L": (lambda: loglik_gradient_factor([[1.0]], [0.0], [[1e-150]]), "gradient .* overflows"),
    "free gradient, of which the other is a float": (
        lambda: loglik_gradient(
            [[0.0, 0.0]], [0.0, 0.0], [[6e-309, 5e-309], [5e-309, 6e-309]], convention="free"
        ),
        "gradient .* overflows",
    ),
    "value in Sigma": (lambda: loglik([[1e155]], [0.0], [[1.0]]), "far from mu"),
    "value of many rows": (lambda: loglik(np.full((9, 1), 1e154), [0.0], [[1.0]]), "far from mu"),
    "value by an inverse": (
        lambda: loglik([[1e153, 0.0]], [0.0, 0.0], [[1.0, 1 - 1e-14], [1 - 1e-14, 1.0]]),
        "far from mu",
    ),
    "log density": (lambda: logpdf([[0.0], [1e155]], [0.0], [[1.0]]), r"^X\[1\] is so far"),
    "log density, of a difference that overflows": (
        lambda: logpdf([[0.0], [1.7e308]], [-1.7e308], [[1e300]]),
        r"^X\[0\] is so far",
    ),
    "Cholesky differential": (lambda: cholesky_differential([[1e-200]], [[1e200]]), "change of L overflows"),
    "Cholesky pullback": (lambda: cholesky_pullback([[1e-200]], [[1e200]]), "gradient in S overflows"),
}


@pytest.mark.parametrize("case", OVERFLOWS)
def test_what_no_float_can_hold_is_refused_and_not_infinite(case: str) -> None:
    call, message = OVERFLOWS[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_point_a_million_deviations_away_still_has_a_log_density() -> None:
    assert np.array_equal(logpdf([[2.0**20]], [0.0], [[1.0]]), [-(2.0**39) - np.log(2 * np.pi) / 2])
    assert logpdf([[1e153]], [0.0], [[1.0]])[0] == pytest.approx(-5e305)


@pytest.mark.parametrize("S", [5e-324, 1e-308, 1e308, 1.7e308])
def test_the_smallest_and_the_largest_variance_a_float_can_hold_are_taken(S: float) -> None:
    exact = -(np.log(2 * np.pi) + np.log(S)) / 2
    assert logpdf([[3.0]], [3.0], [[S]])[0] == pytest.approx(exact, rel=1e-14)
    assert loglik([[3.0]], [3.0], [[S]]) == pytest.approx(exact, rel=1e-14)


def test_the_smallest_and_the_largest_factor_a_float_can_hold_are_taken() -> None:
    large = 1.7e308
    value, (in_mu, in_L) = loglik_and_gradient_factor([[large], [0.0]], [0.0], [[large]])
    assert value == pytest.approx(-np.log(2 * np.pi) - 2 * np.log(large) - 0.5, rel=1e-14)
    assert in_mu[0] == pytest.approx(1 / large, rel=1e-12)
    assert in_L[0, 0] == pytest.approx(-1 / large, rel=1e-12)
    assert loglik_and_gradient_factor([[0.0]], [0.0], [[1e-300]])[0] == pytest.approx(689.8565, rel=1e-6)
    with pytest.raises(ValueError, match=r"gradient .* overflows"):
        loglik_and_gradient_factor([[0.0]], [0.0], [[5e-324]])


@pytest.mark.parametrize("small", [1e-20, 1e20])
def test_an_asymmetry_between_coordinates_alike_is_seen_beside_one_of_other_units(small: float) -> None:
    """Entries of 1e-20 are no rounding of one of 1e20, if their coordinates vary as little; nor those of 1e20
    where a coordinate varies so little that its entry counts for more in too small a unit."""
    variances = np.array([1 / small, small, small])
    S = np.diag(variances)
    S[1, 2] = small / 2
    for call in (
        lambda: logpdf(np.zeros((1, 3)), np.zeros(3), S),
        lambda: loglik_hessian(np.zeros((1, 3)), np.zeros(3), np.diag(variances), np.zeros(3), S),
        lambda: fisher_information_product(np.diag(variances), np.zeros(3), S),
        lambda: cholesky_differential(np.diag(np.sqrt(variances)), S),
    ):
        with pytest.raises(ValueError, match=rf"\[1, 2\] = {re.escape(repr(small / 2))} and .*\[2, 1\] = 0"):
            call()


def test_coordinates_of_a_matrix_whose_variances_lose_digits_are_refused() -> None:
    for theta, fits in ((-350.0, True), (-355.0, False), (-372.0, False), (354.0, True), (355.0, False)):
        if fits:
            assert from_log_cholesky([theta])[0, 0] == pytest.approx(np.exp(2 * theta), rel=1e-13)
        else:
            with pytest.raises(ValueError, match=r"^theta\b"):
                from_log_cholesky([theta])


def test_vech_of_the_information_is_in_the_units_of_pairs() -> None:
    """The kinds above, against a case in closed form: for a diagonal Sigma the information is diagonal."""
    a = np.array([2.0, 8.0])
    _, information = fisher_information(np.diag(a**2))
    pairs = vech(np.outer(a, a))
    assert np.array_equal(information, np.diag(unvech_weights(2) / pairs**2))


def unvech_weights(d: int) -> np.ndarray:
    weights = vech(np.ones((d, d)) - np.eye(d) / 2)
    assert np.array_equal(unvech(weights).diagonal(), np.full(d, 0.5))
    return weights
