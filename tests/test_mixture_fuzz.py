"""Mixtures in any units and of any rows: the right answer, or an error that names the argument."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_mixture import CALLS, Parameters, arrays, draw
from tolerances import rounding

from mvnlib import (
    MixtureStatistics,
    em_step,
    fit_mixture,
    mixture_gradient,
    mixture_loglik,
    responsibilities,
)

seeds, sizes, components = st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3)
exponents = st.lists(st.integers(-140, 140), min_size=4, max_size=4)


def in_units(
    X: np.ndarray, parameters: Parameters, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, Parameters]:
    """The same rows and mixture in the coordinates a x + b."""
    weights, means, covariances = parameters
    return X * a + b, (weights, means * a + b, covariances * a[:, None] * a)


@given(
    n=st.integers(1, 30),
    d=sizes,
    K=components,
    seed=seeds,
    powers=exponents,
    offset=st.sampled_from([0.0, 1.0]),
)
@settings(max_examples=150)
def test_in_other_units_all_is_as_predicted(
    n: int, d: int, K: int, seed: int, powers: list[int], offset: float
) -> None:
    X, parameters = draw(n, d, K, seed)
    a = 10.0 ** np.array(powers[:d])
    X, parameters = in_units(X, parameters, np.ones(d), offset * np.arange(1.0, d + 1))
    Y, moved = in_units(X, parameters, a, 0 * a)
    P = np.linalg.inv(parameters[2])
    # A row of eps of each entry is as much as this in a log density.
    size = 100 + np.abs(P).max() * (np.abs(X).max() + np.abs(parameters[1]).max()) ** 2
    value, there = mixture_loglik(X, *parameters), mixture_loglik(Y, *moved)
    assert abs(there - (value - n * np.log(a).sum())) <= rounding() * n * (size + np.abs(np.log(a)).sum())
    assert np.abs(responsibilities(Y, *moved) - responsibilities(X, *parameters)).max() <= rounding() * size
    new, new_there = em_step(X, *parameters), em_step(Y, *moved)
    assert np.abs(new_there[0] - new[0]).max() <= rounding() * size
    for k in np.flatnonzero(new[0] > 1e-3):
        # A weight of 1e-3 divides the error of the responsibilities.
        spread = np.sqrt(np.diagonal(new[2][k])) + np.abs(new[1][k]) + np.abs(X).max()
        assert (np.abs(new_there[1][k] / a - new[1][k]) <= 1e3 * rounding() * size * spread).all()
        gap = np.abs(new_there[2][k] / a[:, None] / a - new[2][k])
        assert (gap <= 1e3 * rounding() * size * np.outer(spread, spread)).all()
    slopes, slopes_there = mixture_gradient(X, *parameters), mixture_gradient(Y, *moved)
    back = slopes_there[0], slopes_there[1] * a, slopes_there[2] * a[:, None] * a
    for mine, theirs, power in zip(back, slopes, (0, 1, 2), strict=True):
        allowed = rounding() * size * n * max(1, np.abs(P).max()) ** power * (1 + np.abs(X).max()) ** power
        assert np.abs(mine - theirs).max() <= allowed / parameters[0].min()


@given(seed=seeds, powers=exponents, K=st.integers(1, 3))
@settings(max_examples=25)
def test_a_fit_in_other_units_is_the_same_fit(seed: int, powers: list[int], K: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 3)) + 3 * rng.integers(3, size=60)[:, None] * [[1, -1, 0]]
    # Powers of two: the fits agree to the last digit, however many steps they take.
    a = 2.0 ** (3 * np.array(powers[:3]))
    fits: list[Any] = []
    for rows in (X, X * a):
        try:
            fits.append(fit_mixture(rows, K, rng=np.random.default_rng(0), max_iter=15))
        except np.linalg.LinAlgError as error:
            fits.append(str(error).partition("about")[0])
    if isinstance(fits[0], str):
        assert fits[1] == fits[0]
        return
    here, there = fits
    assert len(here.history) == len(there.history)
    assert abs(there.loglik + 60 * np.log(a).sum() - here.loglik) <= 1e-9 * (
        60 + 60 * np.abs(np.log(a)).sum()
    )
    assert np.abs(there.means / a - here.means).max() <= 1e-9
    assert np.abs(there.covariances / a / a[:, None] - here.covariances).max() <= 1e-9


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e-156, 1e-152, 1e150, 1e156, 1e170, 1e300])
def test_at_the_edge_of_the_floats_a_fit_is_right_or_refused(scale: float) -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.standard_normal((30, 2)), 9 + rng.standard_normal((20, 2))])
    expected = fit_mixture(X, 2, rng=np.random.default_rng(0))
    if not 1e-154 < scale < 1e153:
        with pytest.raises((ValueError, np.linalg.LinAlgError), match=r"^(X|the covariance of X)\b"):
            fit_mixture(X * scale, 2, rng=np.random.default_rng(0))
        return
    found = fit_mixture(X * scale, 2, rng=np.random.default_rng(0))
    assert np.abs(found.means / scale - expected.means).max() <= 1e-9
    assert np.abs(found.covariances / scale / scale - expected.covariances).max() <= 1e-9


# Rows and parameters that are spoilt

SPOILS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "nothing": lambda X, rng: X,
    "a NaN": lambda X, rng: put(X, rng, np.nan),
    "an infinity": lambda X, rng: put(X, rng, rng.choice([np.inf, -np.inf])),
    "one huge": lambda X, rng: put(X, rng, 10.0 ** rng.integers(5, 308)),
    "one tiny": lambda X, rng: put(X, rng, 10.0 ** -rng.integers(5, 320)),
    "huge": lambda X, rng: X * 10.0 ** rng.integers(100, 307),
    "tiny": lambda X, rng: X * 10.0 ** -rng.integers(100, 320),
    "far": lambda X, rng: X + 10.0 ** rng.integers(1, 308),
    "a constant column": lambda X, rng: column(X, rng, 0.1),
    "a repeated column": lambda X, rng: column(X, rng, X[..., :1]),
    "duplicates": lambda X, rng: X[rng.integers(0, max(1, len(X) // 3), size=len(X))],
    "one row": lambda X, rng: X[:1],
    "no rows": lambda X, rng: X[:0],
    "no columns": lambda X, rng: X[..., :0],
    "a column more": lambda X, rng: np.concatenate([X, X[..., :1]], axis=-1),
    "masked": lambda X, rng: np.ma.masked_greater(X, np.median(X)),
    "whole numbers": lambda X, rng: np.round(X).astype(np.int16),
    "float32": lambda X, rng: X.astype(np.float32),
    "Fortran order": lambda X, rng: np.asfortranarray(X),
    "backwards": lambda X, rng: X[::-1],
    "zero": lambda X, rng: np.zeros_like(X),
    "less one axis": lambda X, rng: X[0],
}


def put(X: np.ndarray, rng: np.random.Generator, value: float) -> np.ndarray:
    spoilt = X.copy()
    spoilt.flat[rng.integers(X.size)] = value
    return spoilt


def column(X: np.ndarray, rng: np.random.Generator, value: Any) -> np.ndarray:
    spoilt = X.copy()
    j = rng.integers(X.shape[-1])
    spoilt[..., j : j + 1] = value
    return spoilt


NAMES = ("X", "weights", "means", "covariances")


@given(
    data=st.data(),
    n=st.integers(1, 40),
    d=sizes,
    K=components,
    seed=seeds,
    function=st.sampled_from([*CALLS, "statistics"]),
)
@settings(max_examples=300)
def test_whatever_comes_in_what_comes_out_is_right_or_an_error_that_names_the_argument(
    data: st.DataObject, n: int, d: int, K: int, seed: int, function: str
) -> None:
    """Right: finite, of the right shape, a distribution where it should be; and every way to it agrees."""
    rng = np.random.default_rng(seed)
    X, parameters = draw(n, d, K, seed)
    given_ = dict(zip(NAMES, (X, *parameters), strict=True))
    for name in data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)):
        given_[name] = SPOILS[data.draw(st.sampled_from(sorted(SPOILS)))](given_[name], rng)
        if isinstance(given_[name], np.ndarray) and given_[name].ndim:
            given_[name].flags.writeable = False
    before = copy.deepcopy(given_)
    call = CALLS.get(function, lambda *args: whole(MixtureStatistics.from_data(*args)))
    try:
        # What a caller has switched on for his own sums is no concern of ours.
        with np.errstate(all="raise"):
            found = arrays(call(*given_.values()))
    except (ValueError, np.linalg.LinAlgError) as error:
        found, words = None, str(error)
    for name, value in given_.items():
        assert type(value) is type(before[name])
        assert np.array_equal(value, before[name], equal_nan=np.asarray(value).dtype.kind == "f")
    if found is None:
        assert words.startswith(NAMES), words
        return
    assert all(np.isfinite(part).all() for part in found)
    rows, (weights, means, covariances) = np.asarray(given_["X"], dtype=float), list(given_.values())[1:]
    shapes = {
        "mixture_loglik": [()],
        "responsibilities": [(len(rows), len(weights))],
        "em_step": [(len(weights),), np.shape(means), np.shape(covariances), ()],
        "mixture_gradient": [(len(weights),), np.shape(means), np.shape(covariances)],
    }
    if function in shapes:
        assert [part.shape for part in found] == shapes[function]
    r = responsibilities(rows, weights, means, covariances)
    assert np.abs(r.sum(axis=1) - 1).max() <= rounding()
    if function == "em_step":
        assert np.abs(found[0] - r.mean(axis=0)).max() <= 1e-8
        for k in np.flatnonzero(r.sum(axis=0) > 0.5):
            # About a row, as is right at any distance, and in the units of the spread.
            w, Y = r[:, k] / r[:, k].sum(), rows - rows[np.argmax(r[:, k])]
            with np.errstate(over="ignore", under="ignore"):
                size = np.abs(Y[w > 1e-20]).max(axis=0)
                mean = w @ Y
                assert (
                    np.abs(found[1][k] - rows[np.argmax(r[:, k])] - mean)
                    <= 1e-7 * size + 1e-14 * np.abs(rows).max(axis=0)
                ).all()
                unit = np.where(size > 0, size, 1.0)
                second = ((Y - mean) / unit).T @ (w[:, None] * ((Y - mean) / unit))
                # A component that has collapsed may be too small for a float: its covariance is then zero.
                allowed = 1e-7 + np.finfo(float).tiny / unit / unit[:, None]
                assert (np.abs(found[2][k] / unit / unit[:, None] - second) <= allowed).all()


def whole(statistics: MixtureStatistics) -> tuple[np.ndarray, ...]:
    """All that statistics give."""
    return (*statistics.em_step(), *statistics.loglik_gradient())
