"""What people do wrong, and what they are told to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import mvnlib
from mvnlib import (
    check_gradient,
    check_steps,
    fd_differential,
    fd_gradient,
    fit_mixture,
    fit_normal,
    laplace,
    loglik,
    loglik_gradient,
    logpdf,
    ops,
    step_sweep,
)


def bowl(S: Any) -> Any:
    return (np.asarray(S) ** 2).sum()


#: A function where an array belongs, in every function that takes functions.
MISPLACED: dict[str, Callable[[], Any]] = {
    "check_gradient": lambda: check_gradient(bowl, np.eye(2), bowl),  # type: ignore[arg-type]
    "fd_gradient": lambda: fd_gradient(bowl, bowl),  # type: ignore[arg-type,call-overload]
    "fd_differential": lambda: fd_differential(bowl, np.eye(2), bowl),  # type: ignore[arg-type]
    "step_sweep": lambda: step_sweep(bowl, bowl, np.eye(2)),  # type: ignore[arg-type]
    "laplace": lambda: laplace(bowl, bowl),
    "check_steps": lambda: check_steps(bowl, bowl, where=bowl),  # type: ignore[arg-type]
    "fit_mixture": lambda: fit_mixture(bowl, 2),
}


@pytest.mark.parametrize("name", MISPLACED)
def test_a_message_shows_the_callers_function_and_not_what_it_is_wrapped_in(name: str) -> None:
    with pytest.raises(TypeError) as refusal:
        MISPLACED[name]()
    assert "_as_asked" not in str(refusal.value)
    assert "bowl" in str(refusal.value) or name == "check_gradient"


class Frame:
    """As a DataFrame: a table that is no array, and can be made one."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def to_numpy(self) -> np.ndarray:
        return np.asarray(self.values)


LIST = [[2.0, 0.5], [0.5, 3.0]]
NO_ARRAYS: dict[str, tuple[Any, str]] = {
    "a list": (LIST, "pass np.asarray(A)"),
    "a frame": (Frame(LIST), "pass A.to_numpy()"),
    "a matrix of SymPy": (sympy.Matrix([[2, 1], [1, 3]]), "pass np.array(A.tolist(), dtype=object)"),
    "a matrix symbol": (sympy.MatrixSymbol("S", 2, 2), "mvnlib.symbols("),
}


@pytest.mark.parametrize("word", ["tr", "det", "logdet", "inv", "sym", "vec", "diag"])
@pytest.mark.parametrize("kind", NO_ARRAYS)
def test_a_word_given_no_array_says_what_to_pass(word: str, kind: str) -> None:
    value, remedy = NO_ARRAYS[kind]
    with pytest.raises(TypeError, match=f"^A of ops.{word} must be an array, not ") as refusal:
        getattr(ops, word)(value)
    assert remedy in str(refusal.value)


def test_arguments_by_name_are_looked_at_as_those_by_place() -> None:
    symbols = sympy.Matrix([[2, 1], [1, 3]])
    for call in (lambda: ops.dot(np.eye(2), B=symbols), lambda: ops.dot(A=np.eye(2), B=symbols)):
        with pytest.raises(TypeError, match=r"^B of ops.dot must be an array"):
            call()
    with pytest.raises(TypeError, match=r"^A of ops.tr must be an array, not list"):
        ops.tr(A=LIST)


def test_a_covariance_of_the_rows_is_not_blamed_on_the_data_alone() -> None:
    """np.cov takes rows for variables: its result for 5 rows is 5 x 5, and X is right as it is."""
    with pytest.raises(ValueError, match=r"np.cov\(X\) is without rowvar=False"):
        logpdf(X2, [0, 0], np.eye(5))


def test_what_the_messages_say_works() -> None:
    S = np.array(LIST)
    assert ops.logdet(np.asarray(LIST)) == ops.logdet(Frame(LIST).to_numpy()) == ops.logdet(S)
    assert ops.det(np.array(sympy.Matrix([[2, 1], [1, 3]]).tolist(), dtype=object)) == 5
    assert mvnlib.symbols("symmetric", "S", 2).shape == (2, 2)


X1, X2 = np.arange(5.0)[:, None], np.arange(10.0).reshape(5, 2) ** 1.5
WRONG_SHAPES: dict[str, tuple[Callable[[], Any], str]] = {
    "a variance that is a number": (lambda: loglik(X1, [0.0], 2.0), "in one dimension it is [[2.0]]"),
    "variances for a covariance": (lambda: loglik(X2, [0, 0], [1.0, 2.0]), "pass np.diag(Sigma)"),
    "the same for densities": (lambda: logpdf(X2, [0, 0], [1.0, 2.0]), "pass np.diag(Sigma)"),
    "rows turned to columns": (lambda: loglik(X2.T, [0, 0], np.eye(2)), "pass X.T"),
    "the same for a gradient": (lambda: loglik_gradient(X2.T, [0, 0], np.eye(2)), "pass X.T"),
    "a mean that is a row": (lambda: logpdf(X2, [[0, 0]], np.eye(2)), "pass mu.ravel()"),
    "a mean that is a column": (lambda: logpdf(X2, [[0], [0]], np.eye(2)), "pass mu.ravel()"),
    "data that are a vector": (lambda: fit_normal(np.arange(5.0)), "pass X[:, None]"),
}


@pytest.mark.parametrize("case", WRONG_SHAPES)
def test_a_wrong_shape_that_has_a_meaning_is_told_the_right_one(case: str) -> None:
    call, remedy = WRONG_SHAPES[case]
    with pytest.raises(ValueError, match="must ") as refusal:
        call()
    assert remedy in str(refusal.value)
