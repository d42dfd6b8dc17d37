"""The one place where input is checked.

Every public function passes its arguments through here, so that the same mistake meets the same words
everywhere.  A check returns the value to work with and never changes what it was given.  A message names
the argument, says what was found, and where it helps says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Asymmetry, relative to the largest entry, that a few products in floating point can leave behind.
SYMMETRY_TOLERANCE = 1e-12

_DIMENSIONS = {0: "a number", 1: "a vector", 2: "a matrix", 3: "a stack of matrices"}


def as_real(
    name: str, value: Any, *, ndim: int | None = None, shape: Sequence[int | None] | None = None
) -> Array:
    """Return ``value`` as a float64 array of finite numbers, of the ``shape`` asked for.

    An entry ``None`` of ``shape`` stands for any length; booleans, integers and float32 are read as float64.
    The result may share memory with ``value``.
    """
    if shape is not None:
        ndim = len(shape)
    if np.ma.is_masked(value):
        raise ValueError(
            f"{name} has masked entries; drop or fill them first, for a mask cannot be differentiated"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} is not a rectangular array of numbers: its rows differ in length"
        ) from error
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real, but its entries are complex ({array.dtype})")
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array of real numbers, not {_described(value, array)}")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must be {_DIMENSIONS[ndim]}{_shape_hint(shape)}, but its shape is {array.shape}"
        )
    if shape is not None and any(
        want not in (None, got) for want, got in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{name} must have shape {_shape_text(shape)}, but its shape is {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        place = name if not where else f"{name}[{', '.join(map(str, where))}]"
        raise ValueError(f"{name} must be finite, but {place} is {array[where]}")
    return array


def as_number(name: str, value: Any) -> float:
    """Return ``value`` as one finite float."""
    return float(as_real(name, value, ndim=0))


def as_positive(name: str, value: Any) -> float:
    """Return ``value`` as one finite float above zero."""
    number = as_number(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be positive, but it is {number}")
    return number


def as_dimension(name: str, value: Any) -> int:
    """Return ``value`` as a dimension: a whole number of at least one."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, but it is {value}")
    return int(value)


def as_generator(name: str, value: Any) -> np.random.Generator:
    """Return ``value`` if it is a random generator of NumPy."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a generator, say numpy.random.default_rng(0), not {value!r}")
    return value


def as_square(name: str, value: Any) -> Array:
    """Return ``value`` as a square matrix (d, d)."""
    array = as_real(name, value, ndim=2)
    if array.shape[0] != array.shape[1]:
        raise ValueError(f"{name} must be square, but its shape is {array.shape}")
    return array


def as_symmetric(name: str, value: Any, *, rtol: float = SYMMETRY_TOLERANCE) -> Array:
    """Return ``value`` as a symmetric matrix (d, d); it is checked to ``rtol``, never symmetrised."""
    array = as_square(name, value)
    with np.errstate(over="ignore"):
        gap = np.abs(array - array.T)
    if not gap.max() <= rtol * np.abs(array).max():
        i, j = (int(k) for k in np.unravel_index(np.argmax(gap), gap.shape))
        raise ValueError(
            f"{name} must be symmetric, but {name}[{i}, {j}] = {array[i, j]} and "
            f"{name}[{j}, {i}] = {array[j, i]}; "
            f"if the difference is only rounding, pass ({name} + {name}.T) / 2"
        )
    return array


def as_positive_definite(name: str, value: Any) -> tuple[Array, Array]:
    """Return ``value`` as a symmetric positive definite matrix (d, d), with its lower Cholesky factor."""
    array = as_symmetric(name, value)
    factor: Array | None
    try:
        factor = np.linalg.cholesky(array).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        factor = None
    if factor is None or not np.isfinite(factor).all():
        lowest, highest = (float(value) for value in np.linalg.eigvalsh(array)[[0, -1]])
        beside = f", beside a largest of {highest:.6g}" if highest > 0 else ""
        raise np.linalg.LinAlgError(
            f"{name} must be positive definite, but its smallest eigenvalue is {lowest:.6g}{beside}"
        )
    return array, factor


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """Return ``value`` if it is one of the ``options``."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, but it is {value!r}")
    return value


def _described(value: Any, array: NDArray[Any]) -> str:
    return f"{type(value).__name__} of {array.dtype}" if array.ndim else repr(value)


def _shape_text(shape: Sequence[int | None]) -> str:
    sides = ["any" if side is None else str(side) for side in shape]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"


def _shape_hint(shape: Sequence[int | None] | None) -> str:
    return "" if shape is None else f" of shape {_shape_text(shape)}"
