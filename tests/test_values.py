"""What the functions give back are values: equal where all that they hold is equal, and sent between processes."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import pytest

import mvnlib
from mvnlib import Laplace, MixtureStatistics, NormalStatistics, ops

X = np.array([[0.0, 0.0], [2.0, 1.0], [2.0, 4.0], [1.0, 4.0], [3.0, 3.0], [7.0, 2.0]])
S = np.array([[2.0, 0.5], [0.5, 1.0]])
COMPONENTS = [0.4, 0.6], [[1.0, 1.0], [3.0, 3.0]], [S, 2 * S]

#: Each kind of result, and how to come by one; a second one is made from scratch.
RESULTS: dict[str, Callable[[], Any]] = {
    "Laplace": lambda: mvnlib.laplace(lambda x: -x @ S @ x / 2, [1.0, 1.0]),
    "Mixture": lambda: mvnlib.fit_mixture(X, 1, rng=np.random.default_rng(0)),
    "MixtureStatistics": lambda: MixtureStatistics.from_data(X, *COMPONENTS),
    "NormalStatistics": lambda: NormalStatistics.from_data(X),
    "Proof": lambda: mvnlib.prove("logdet", 2),
    "Steps": lambda: mvnlib.check_steps(lambda A: ops.tr(A), lambda A: ops.tr(A.T), where={"A": "general"}),
    "StepSweep": lambda: mvnlib.step_sweep(ops.logdet, S, S, schemes=["central"]),
    "Verdict": lambda: mvnlib.check_gradient(ops.logdet, np.linalg.inv(S), S),
}


def fields(value: Any) -> dict[str, Any]:
    return value._asdict() if isinstance(value, tuple) else dict(vars(value))


def with_another(value: Any, name: str) -> Any:
    """The same value with a little more in one field."""

    def changed(field: Any) -> Any:
        if isinstance(field, np.ndarray):
            return np.nextafter(field, np.inf)
        if isinstance(field, dict):
            return {key: changed(entry) for key, entry in field.items()}
        if isinstance(field, tuple | str):
            return field * 2 if field else (0,)
        if field is None:
            return "another"
        if isinstance(field, int | float):
            return field + 1
        inner = next(iter(vars(field)))
        return with_another(field, inner)

    if isinstance(value, tuple):
        return value._replace(**{name: changed(fields(value)[name])})
    other = object.__new__(type(value))
    for key, field in fields(value).items():
        object.__setattr__(other, key, changed(field) if key == name else field)
    return other


@pytest.mark.parametrize("kind", RESULTS)
def test_results_are_equal_where_all_their_fields_are(kind: str) -> None:
    one, other = RESULTS[kind](), RESULTS[kind]()
    assert type(one).__name__ == kind
    assert one is not other
    assert (one == other) is True
    assert (one != other) is False
    assert pickle.loads(pickle.dumps(one)) == one
    for name in fields(one):
        assert (one == with_another(one, name)) is False
        assert (one != with_another(one, name)) is True
    for stranger in (
        None,
        0,
        "x",
        (),
        np.zeros(3),
        *(make() for name, make in RESULTS.items() if name != kind),
    ):
        assert not np.any(one == stranger)


@pytest.mark.parametrize("kind", ["Laplace", "Mixture", "MixtureStatistics", "NormalStatistics", "StepSweep"])
def test_what_holds_arrays_has_no_hash(kind: str) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(RESULTS[kind]())


def test_every_public_result_is_among_them() -> None:
    public = {name for name in mvnlib.__all__ if inspect.isclass(getattr(mvnlib, name))}
    made = {
        name
        for name in mvnlib.__all__
        if inspect.isclass(thing := getattr(mvnlib, name))
        and (is_dataclass(thing) or issubclass(thing, tuple))
    }
    assert public - {"StepError"} == made <= set(RESULTS)


def test_statistics_of_the_same_rows_differ_with_the_parameters() -> None:
    other = MixtureStatistics.from_data(X, *COMPONENTS[:2], [S, 3 * S])
    assert RESULTS["MixtureStatistics"]() != other


def test_a_laplace_approximation_is_equal_to_the_tuple_of_its_parts() -> None:
    one = RESULTS["Laplace"]()
    assert one == tuple(one)
    assert tuple(one) == one
    assert one != tuple(one)[:2]
    assert one != Laplace(one.mode, one.covariance[:1], one.log_normaliser)


def test_steps_that_left_the_domain_are_equal_to_such_steps() -> None:
    one, other = (
        mvnlib.step_sweep(np.linalg.cholesky, S, -S, [1e-3, 2.0], schemes=["forward"]) for _ in range(2)
    )
    assert np.isnan(one.errors["forward"]).any()
    assert one == other
