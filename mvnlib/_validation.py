"""The one place where input is checked.

Every public function passes its arguments through here, so that the same mistake meets the same words
everywhere.  A check returns the value to work with and never changes what it was given.  A message names
the argument, says what was found, and where it helps says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from math import isfinite, sqrt
from numbers import Real
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS, Units, powers_of_two, rescaled, units_of
from mvnlib._scaling import Array as Array

#: Asymmetry, relative to the largest entry, that a few products in floating point can leave behind.
SYMMETRY_TOLERANCE = 1e-12

#: Decorates every public function that computes: what the caller has asked of NumPy (``np.seterr``) is about
#: their own arithmetic.  In ours an underflow is zero, and what overflows is told of by name.
quiet = np.errstate(all="ignore")

_Taken = ParamSpec("_Taken")
_Given = TypeVar("_Given")
_probing = ContextVar("probing", default=False)

_FLOAT = np.dtype(np.float64)
_CHUNK = 1 << 16  # numbers looked at in one go
#: What arrays of other libraries raise that NumPy cannot read; PyTorch's the last two.
_UNREADABLE = (ValueError, TypeError, RuntimeError)
_DIMENSIONS = {0: "a number", 1: "a vector", 2: "a matrix", 3: "a stack of matrices"}


def quiet_around_functions(function: Callable[_Taken, _Given]) -> Callable[_Taken, _Given]:
    """:data:`quiet` for a public function that is given functions: what they compute is the caller's arithmetic.

    Each is run as the caller has set NumPy, alone or as the second of a pair (label, function).
    """

    @wraps(function)
    def wrapper(*args: _Taken.args, **kwargs: _Taken.kwargs) -> _Given:
        asked = np.geterr()
        mine: Any = [_as_asked(value, asked) for value in args]
        named: Any = {name: _as_asked(value, asked) for name, value in kwargs.items()}
        with np.errstate(all="ignore"):
            return function(*mine, **named)

    return wrapper


@contextmanager
def probing() -> Iterator[None]:
    """Where we try a function at points that the caller never named, they are not warned of what happens there."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


def _as_asked(value: Any, asked: Any) -> Any:
    """A function run under these error settings; a pair with one; anything else as it is."""
    if isinstance(value, tuple) and len(value) == 2 and callable(value[1]):
        return value[0], _as_asked(value[1], asked)
    if not callable(value):
        return value
    unwarned: Any = {kind: "ignore" if do == "warn" else do for kind, do in asked.items()}

    def run(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(**(unwarned if _probing.get() else asked)):
            return value(*args, **kwargs)

    # Its parameters, and the names to show it by: a message that shows a function shows the caller's own.
    run.__wrapped__, run.__name__ = value, getattr(value, "__name__", "<lambda>")  # type: ignore[attr-defined]
    run.__qualname__ = getattr(value, "__qualname__", type(value).__qualname__)
    return run


def as_real(
    name: str, value: Any, *, ndim: int | None = None, shape: Sequence[int | None] | None = None
) -> Array:
    """Return ``value`` as a float64 array of finite numbers, of the ``shape`` asked for.

    An entry ``None`` of ``shape`` stands for any length; booleans, integers and float32 are read as float64.
    The result may share memory with ``value``.
    """
    array = as_float(_as_numbers(name, value, ndim, shape))
    require_finite(name, array)
    return array


def as_flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is true or false; a word such as "no" would be taken for true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {brief(value)}")
    return bool(value)


def as_given(value: Any) -> NDArray[Any]:
    """What a function gave as an array of whatever type, with NaN where it is masked."""
    if not _is_masked(value):
        return np.asarray(value)
    values = np.ma.array(value, dtype=np.result_type(value, np.float64))
    return np.asarray(values.filled(np.nan))


def as_rows(name: str, value: Any, d: int | None = None) -> NDArray[Any]:
    """Return ``value`` as a matrix (n, d) of real numbers, in its own type and not yet known to be finite.

    It may be larger than memory: a chunk is read with :func:`subtract`, and :func:`require_finite` is asked
    only where what follows from the rows comes out infinite.
    """
    return _as_numbers(name, value, None, (None, d))


def as_float(array: NDArray[Any]) -> Array:
    """Return an array of real numbers as float64, the same array where it is one; too large is infinite."""
    if array.dtype == _FLOAT:
        return array
    with np.errstate(all="ignore"):
        return array.astype(np.float64)


def sealed(array: Array) -> Array:
    """The array, which from now on cannot be written to: a value that others count on, whoever holds it."""
    array.flags.writeable = False
    return array


def subtract(rows: NDArray[Any], origin: Array, out: Array) -> Array:
    """rows - origin in ``out``, the rows being read as float64 a few at a time."""
    np.subtract(rows, origin, out=out, dtype=np.float64)
    return out


def is_finite(array: Array) -> bool:
    """Whether all entries are finite."""
    # The sum of squares of an array that is not finite is not finite either, and BLAS forms it fastest.
    return isfinite(np.vdot(array, array)) or bool(np.isfinite(array).all())


def require_finite(name: str, array: NDArray[Any]) -> None:
    """Refuse an array with an entry that is not finite, naming the first."""
    if array.size <= _CHUNK and array.dtype == _FLOAT and is_finite(array):
        return
    step = max(1, _CHUNK * len(array) // array.size) if array.ndim else 1
    for start in range(0, len(array) if array.ndim else 1, step):
        part = as_float(array[start : start + step] if array.ndim else array)
        finite = np.isfinite(part)
        if not finite.all():
            where = tuple(int(i) for i in np.argwhere(~finite)[0])
            entry = part[where]
            if where:
                where = (where[0] + start, *where[1:])
            place = name if not where else f"{name}[{', '.join(map(str, where))}]"
            raise ValueError(f"{name} must be finite, but {place} is {entry}")


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
        raise TypeError(f"{name} must be a whole number, not {brief(value)}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, but it is {value}")
    return int(value)


def as_generator(name: str, value: Any) -> np.random.Generator:
    """Return ``value`` if it is a random generator of NumPy."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a generator, say numpy.random.default_rng(0), not {brief(value)}")
    return value


def as_square(name: str, value: Any) -> Array:
    """Return ``value`` as a square matrix (d, d)."""
    array = as_real(name, value)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must be a matrix, but its shape is {array.shape}{_as_a_square(name, array)}"
        )
    if array.shape[0] != array.shape[1]:
        raise ValueError(f"{name} must be square, but its shape is {array.shape}")
    return array


def as_symmetric(
    name: str,
    value: Any,
    d: int | None = None,
    *,
    rtol: float = SYMMETRY_TOLERANCE,
    deviations: Array | None = None,
) -> Array:
    """Return ``value`` as a symmetric matrix (d, d); it is checked to ``rtol``, never symmetrised.

    An asymmetry is compared with the largest entry, each coordinate being divided by its standard deviation
    where ``deviations`` are given.
    """
    array = as_square(name, value) if d is None else as_real(name, value, shape=(d, d))
    _require_symmetric(name, array, rtol, deviations)
    return array


def is_nearly_symmetric(array: Array) -> bool:
    """Whether an array is a square matrix, symmetric up to rounding."""
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        return False
    return bool(np.abs(array - array.T).max() <= SYMMETRY_TOLERANCE * np.abs(array).max())


def _require_symmetric(name: str, array: Array, rtol: float, deviations: Array | None) -> None:
    if not np.count_nonzero(array != array.T):
        return
    with np.errstate(all="ignore"):
        scaled = array if deviations is None else rescaled(array, 1 / powers_of_two(deviations))
        gap = np.abs(scaled - scaled.T)
    if not gap.max() <= rtol * np.abs(scaled).max():
        i, j = (int(k) for k in np.unravel_index(np.argmax(gap), gap.shape))
        raise ValueError(
            f"{name} must be symmetric, but {name}[{i}, {j}] = {array[i, j]} and "
            f"{name}[{j}, {i}] = {array[j, i]}; "
            f"if the difference is only rounding, pass ({name} + {name}.T) / 2"
        )


def as_positive_definite(name: str, value: Any) -> tuple[Array, Array]:
    """Return ``value`` as a symmetric positive definite matrix (d, d), with its lower Cholesky factor."""
    array, units, factor = as_scaled(name, value)
    return array, (factor.T * units).T


def as_scaled(name: str, value: Any) -> tuple[Array, Units, Array]:
    """Return ``value`` as a symmetric positive definite matrix, with units and a factor L.

    The matrix is U L L^T U, with U the diagonal matrix of the units and L lower triangular.  A matrix that
    cannot be told from a singular one is refused: what its factor says would be rounding.
    """
    array = as_square(name, value)
    d = len(array)
    variances = array.diagonal()
    if np.count_nonzero(variances > 0) < d:
        _require_symmetric(name, array, SYMMETRY_TOLERANCE, None)
        raise _not_positive_definite(name, array)
    deviations = np.sqrt(variances)
    _require_symmetric(name, array, SYMMETRY_TOLERANCE, deviations)
    units = units_of(deviations)
    try:
        if isinstance(units, float):
            factor = cast(Array, np.linalg.cholesky(array))
        else:
            with np.errstate(all="ignore"):  # of entries that no positive definite matrix has
                scaled = rescaled(array, 1 / units)
            factor = cast(Array, np.linalg.cholesky(scaled))
    except np.linalg.LinAlgError:
        raise _not_positive_definite(name, array) from None
    # A pivot is the deviation that the coordinates before leave unexplained; of a singular matrix, rounding.
    noise = sqrt(d * EPS) * deviations / units
    if np.count_nonzero(factor.diagonal() > noise) < d:
        raise _not_positive_definite(name, array)
    return array, units, factor


def _not_positive_definite(name: str, array: Array) -> np.linalg.LinAlgError:
    lowest, highest = (float(value) for value in np.linalg.eigvalsh(array)[[0, -1]])
    beside = f", beside a largest of {highest:.6g}" if highest > 0 else ""
    found = f"its smallest eigenvalue is {lowest:.6g}{beside}"
    if lowest > 0:
        found = f"it cannot be told from a singular matrix: {found}"
    return np.linalg.LinAlgError(f"{name} must be positive definite, but {found}")


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """Return ``value`` if it is one of the ``options``."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, but it is {brief(value)}")
    return value


def _as_numbers(name: str, value: Any, ndim: int | None, shape: Sequence[int | None] | None) -> NDArray[Any]:
    """``value`` as an array of real numbers of some type, not empty, of the shape asked for."""
    if shape is not None:
        ndim = len(shape)
    if _is_masked(value):
        raise ValueError(
            f"{name} has masked entries; drop or fill them first, for a mask cannot be differentiated"
        )
    try:
        array = np.asarray(value)
    except _UNREADABLE as error:
        why = "its rows differ in length" if "inhomogeneous" in str(error) else str(error)
        refusal = TypeError if isinstance(error, TypeError) else ValueError
        raise refusal(f"{name} is not a rectangular array of numbers: {why}") from error
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real, but its entries are complex ({array.dtype})")
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array of real numbers, not {_described(name, value, array)}")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must be {_DIMENSIONS.get(ndim, 'an array')}{_shape_hint(shape)}, but its shape is {array.shape}"
            f"{_as_a_matrix(name, array, shape)}"
        )
    if (
        shape is not None
        and array.shape != shape
        and any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True))
    ):
        turned = len(shape) == 2 and shape[0] is None and shape[1] == array.shape[0]
        remedy = (
            f"; rows are observations: pass {name}.T if these are columns; if they are rows, the other arguments are "
            f"of another dimension, as np.cov({name}) is without rowvar=False"
            if turned
            else ""
        )
        raise ValueError(
            f"{name} must have shape {_shape_text(shape)}, but its shape is {array.shape}{remedy}"
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    return array


def _is_masked(value: Any) -> bool:
    """Whether an array, or one in a list, has masked entries: of a list NumPy reads what is under the masks."""
    if isinstance(value, list | tuple):
        return any(_is_masked(part) for part in value if not isinstance(part, float | int))
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def brief(value: Any) -> str:
    """How a value is shown in a message: a set of a million numbers is known by the first."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:90]} ... {text[-20:]}"


def _described(name: str, value: Any, array: NDArray[Any]) -> str:
    if not array.ndim:
        return brief(value)
    if array.dtype != object or not array.size:
        return f"{type(value).__name__} of {array.dtype}"
    for where, entry in np.ndenumerate(array):
        if not isinstance(entry, Real):
            return f"of objects: {name}[{', '.join(map(str, where))}] is {brief(entry)}"
    return f"of objects such as {brief(array.flat[0])}; pass numpy.asarray({name}, dtype=float)"


def _as_a_square(name: str, array: NDArray[Any]) -> str:
    """What a number or a vector may have been meant for where a covariance matrix is wanted."""
    if array.ndim == 0:
        return f"; in one dimension it is [[{array}]]"
    if array.ndim == 1:
        return f"; if these are variances, pass np.diag({name})"
    return ""


def _as_a_matrix(name: str, array: NDArray[Any], shape: Sequence[int | None] | None) -> str:
    """How a vector is made the matrix that was asked for."""
    if array.ndim == 2 and shape is not None and len(shape) == 1 and 1 in array.shape:
        return f"; pass {name}.ravel() if it is one row or one column"
    if array.ndim != 1 or shape is None or len(shape) != 2:
        return ""
    ways = {
        f"{name}[:, None] if it is {array.size} rows of one number": (array.size, 1),
        f"{name}[None, :] if it is one row": (1, array.size),
    }
    fitting = [
        way
        for way, made in ways.items()
        if all(want in (None, got) for want, got in zip(shape, made, strict=True))
    ]
    return f"; pass {', or '.join(fitting)}" if fitting else ""


def _shape_text(shape: Sequence[int | None]) -> str:
    sides = ["any" if side is None else str(side) for side in shape]
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"


def _shape_hint(shape: Sequence[int | None] | None) -> str:
    return "" if shape is None else f" of shape {_shape_text(shape)}"
