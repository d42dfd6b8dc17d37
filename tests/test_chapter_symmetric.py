"""What the chapter "Symmetric or not" says of JAX: which table each way of writing a log density returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import cho_factor, cho_solve, solve_triangular
from jax.scipy.stats import multivariate_normal

from mvnlib import convert_gradient, spaces, vech
from mvnlib.identities import TABLE

D = 3
TOLERANCE = 1e-10


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(params=range(5))
def point(request: pytest.FixtureRequest) -> dict[str, Any]:
    return TABLE["normal_logpdf_Sigma"].draw(
        np.random.default_rng(request.param), D, spaces.positive_definite
    )


def gradient(f: Callable[..., Any], point: dict[str, Any], Sigma: Any) -> np.ndarray:
    y = jnp.asarray(point["x"] - point["mu"])
    return np.asarray(jax.grad(lambda S: f(S, y))(jnp.asarray(Sigma)))


def table(point: dict[str, Any], convention: str = "entrywise") -> np.ndarray:
    return TABLE["normal_logpdf_Sigma"].gradient(point, convention)


def assert_same(found: np.ndarray, right: np.ndarray) -> None:
    assert found.shape == right.shape
    assert np.abs(found - right).max() <= TOLERANCE * np.abs(right).max()


def by_solve(S: Any, y: Any) -> Any:
    return -(jnp.linalg.slogdet(S)[1] + y @ jnp.linalg.solve(S, y)) / 2


def by_cholesky(S: Any, y: Any) -> Any:
    L = jnp.linalg.cholesky(S)
    return -(solve_triangular(L, y, lower=True) ** 2).sum() / 2 - jnp.log(jnp.diag(L)).sum()


def by_cho_factor(S: Any, y: Any) -> Any:
    L, lower = cho_factor(S, lower=True)
    return -y @ cho_solve((L, lower), y) / 2 - jnp.log(jnp.diag(L)).sum()


def test_slogdet_and_solve_return_the_entrywise_table_also_off_symmetry(point: dict[str, Any]) -> None:
    general = spaces.invertible.draw(np.random.default_rng(1), D)
    assert_same(gradient(by_solve, point, point["Sigma"]), table(point))
    assert_same(gradient(by_solve, point, general), table({**point, "Sigma": general}))


@pytest.mark.parametrize("f", [by_cholesky, lambda S, y: multivariate_normal.logpdf(y, jnp.zeros(D), S)])
def test_a_cholesky_that_symmetrises_first_returns_the_frobenius_table(
    f: Callable[..., Any], point: dict[str, Any]
) -> None:
    assert_same(gradient(f, point, point["Sigma"]), table(point, "frobenius"))


def test_cholesky_symmetrises_its_argument_so_off_symmetry_its_gradient_is_not_entrywise(
    point: dict[str, Any],
) -> None:
    skew = 0.01 * np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    found = gradient(by_cholesky, point, point["Sigma"] + skew)
    assert_same(found, table(point, "frobenius"))


def test_cho_factor_returns_none_of_the_three_tables_but_its_symmetric_part_is_frobenius(
    point: dict[str, Any],
) -> None:
    found = gradient(by_cho_factor, point, point["Sigma"])
    for right in (table(point), table(point, "free"), np.tril(table(point, "free"))):
        assert np.abs(found - right).max() > 1e-3 * np.abs(right).max()
    assert_same(convert_gradient(found, "entrywise", "frobenius"), table(point, "frobenius"))


def test_a_gradient_in_vech_is_the_free_table(point: dict[str, Any]) -> None:
    places = np.zeros((D, D), dtype=int)
    rows, columns = np.triu_indices(D)[::-1]
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    y = jnp.asarray(point["x"] - point["mu"])
    found = jax.grad(lambda v: by_solve(v[places], y))(jnp.asarray(vech(point["Sigma"])))
    assert_same(np.asarray(found), vech(table(point, "free")))
