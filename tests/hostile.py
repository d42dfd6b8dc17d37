"""Input that must be refused, and input that must be taken: one list for every public function."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np


class Unreadable:
    """What looks like an array, until it is read: a file that is gone, a tensor that is part of a graph."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise self.error


class Frame:
    """A table of another library: not an array, but it gives one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array, dtype=dtype)


class NoArithmetic(np.ndarray):
    """A subclass of arrays with rules of its own for sums and products."""

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("computed with as it is")


#: What is no array of finite real numbers at all, whatever the shape wanted: (value, error) by name.
NOT_REAL: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": ([[1.0, np.nan], [np.nan, 1.0]], ValueError),
    "infinite": ([[np.inf, 0.0], [0.0, 1.0]], ValueError),
    "minus infinite": ([[-np.inf, 0.0], [0.0, 1.0]], ValueError),
    "too large for a float": (np.array([[np.longdouble("1e400"), 0], [0, 1]]), ValueError),
    "empty": (np.zeros((0, 0)), ValueError),
    "ragged": ([[1.0, 0.0], [0.0]], ValueError),
    "masked": (np.ma.array(np.eye(2), mask=[[True, False], [False, False]]), ValueError),
    "rows of which one is masked": (
        [np.ma.array([1.0, 0.0], mask=[False, True]), np.array([0.0, 1.0])],
        ValueError,
    ),
    "masked numbers": ([[1.0, 0.0], (0.0, np.ma.masked)], ValueError),
    "cannot be read": (Unreadable(ValueError("the file is gone")), ValueError),
    "needs a gradient": (Unreadable(RuntimeError("use tensor.detach().numpy() instead")), ValueError),
    "of a type unknown": (Unreadable(TypeError("got unsupported type BFloat16")), TypeError),
    "complex": (np.eye(2) * 1j, TypeError),
    "complex with no imaginary part": (np.eye(2) + 0j, TypeError),
    "strings": ([["1", "0"], ["0", "1"]], TypeError),
    "one string": ("eye", TypeError),
    "None": (None, TypeError),
    "entries None": ([[1.0, None], [None, 1.0]], TypeError),
    "a mapping": ({"a": 1.0}, TypeError),
    "objects": (np.array([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]], dtype=object), TypeError),
    "dates": (np.array([["2020-01-01"] * 2] * 2, dtype="datetime64[D]"), TypeError),
    "a function": (np.linalg.inv, TypeError),
}

#: What is no square matrix.
NOT_SQUARE: dict[str, tuple[Any, type[Exception]]] = {
    "a number": (1.0, ValueError),
    "a vector": (np.ones(2), ValueError),
    "a stack": (np.ones((2, 2, 2)), ValueError),
    "wide": (np.ones((2, 3)), ValueError),
    "no columns": (np.ones((2, 0)), ValueError),
}

#: What is square but not symmetric.
NOT_SYMMETRIC: dict[str, tuple[Any, type[Exception]]] = {
    "not symmetric": ([[2.0, 1.0], [0.0, 2.0]], ValueError),
    "a little asymmetric": ([[2.0, 1.0], [1.0 + 1e-9, 2.0]], ValueError),
}

#: What is symmetric but not positive definite.
NOT_POSITIVE_DEFINITE: dict[str, tuple[Any, type[Exception]]] = {
    "indefinite": ([[1.0, 2.0], [2.0, 1.0]], np.linalg.LinAlgError),
    "negative definite": (-np.eye(2), np.linalg.LinAlgError),
    "singular": (np.ones((2, 2)), np.linalg.LinAlgError),
    "zero": (np.zeros((2, 2)), np.linalg.LinAlgError),
}

#: Everything that is no covariance matrix.
NOT_A_COVARIANCE = NOT_REAL | NOT_SQUARE | NOT_SYMMETRIC | NOT_POSITIVE_DEFINITE


def disguises(array: np.ndarray) -> dict[str, Any]:
    """The same whole numbers as other inputs that must be read as float64, and left as they are."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]))
    wide[..., ::2] = array
    frozen = array.copy()
    frozen.flags.writeable = False
    return {
        "integers": array.astype(int),
        "small integers": array.astype(np.int8),
        "float32": array.astype(np.float32),
        "longdouble": array.astype(np.longdouble),
        "a list": array.tolist(),
        "Fortran order": np.asfortranarray(array),
        "not contiguous": wide[..., ::2],
        "reversed twice": array[::-1].copy()[::-1],
        "read-only": frozen,
        "masked nowhere": np.ma.array(array),
        "swapped bytes": array.astype(array.dtype.newbyteorder()),
        "a table": Frame(array.copy()),
        "a subclass": array.copy().view(NoArithmetic),
        "rows": list(array.copy()),
        "a memoryview": memoryview(array.copy()),
    }
