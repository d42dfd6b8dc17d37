"""The words in which identities are written.

Each word accepts NumPy arrays (also complex ones, as the complex step needs), JAX arrays, and NumPy arrays of
SymPy expressions; all but ``dot`` and ``kron`` also take stacks of numbers, ``(..., d, d)``.  A symbolic
matrix is held as such an object array everywhere in ``mvnlib``: then ``@``, ``+`` and ``.mT`` mean the same
as for numbers, vectors stay one-dimensional, and one text serves floats, automatic differentiation, exact
proofs and printed JavaScript.

Nothing here checks its input: these words run inside traced and symbolic code.  The public functions check.

>>> f = lambda S, a: ops.tr(ops.inv(S) @ ops.outer(a, a))
>>> f(np.diag([2.0, 1.0]), np.array([1.0, 3.0]))
np.float64(9.5)
>>> f(symbols("symmetric", "S", 1), symbols("vector", "a", 1))
a_1**2/S_11
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from math import prod
from typing import Any

import numpy as np

# NumPy, JAX and object arrays have no common type; the words are about what they share.
Matrix = Any

_elimination: ContextVar[bool] = ContextVar("elimination", default=False)


@contextmanager
def by_elimination() -> Iterator[None]:
    """Let ``inv``, ``det`` and ``logdet`` of symbols emit the steps of elimination instead of cofactors.

    Cofactors give the polynomials a proof wants.  As floating-point code they lose digits: at d = 3 and
    condition number 1e6 the inverse is off by 1e-8, by elimination without pivoting 3e-11.  On a symmetric
    matrix of symbols the same steps are those of L D L^T, because SymPy writes equal entries equally.

    Examples
    --------
    >>> S = symbols("symmetric", "S", 2)
    >>> ops.det(S)
    S_11*S_22 - S_12**2
    >>> with ops.by_elimination():
    ...     ops.det(S)
    S_11*(S_22 - S_12**2/S_11)
    """
    token = _elimination.set(True)
    try:
        yield
    finally:
        _elimination.reset(token)


def is_symbolic(A: Matrix) -> bool:
    """Whether ``A`` is an array of SymPy expressions.

    >>> ops.is_symbolic(np.eye(2))
    False
    """
    return isinstance(A, np.ndarray) and A.dtype == object


def _word(function: Callable[..., Any]) -> Callable[..., Any]:
    """A word that says what to pass where it was given no array; arrays are not looked at."""

    @wraps(function)
    def word(*args: Any, **kwargs: Any) -> Any:
        # A product of a SymPy matrix with an array is something else than of two arrays, and no error.
        if any(getattr(value, "is_Matrix", False) for value in (*args, *kwargs.values())):
            raise _no_array(function, args, kwargs) or TypeError("a SymPy matrix is no array")
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError, IndexError) as error:
            refusal = _no_array(function, args, kwargs)
            if refusal is None:
                raise
            raise refusal from error

    return word


def _no_array(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TypeError | None:
    """What to say of the first argument that is no array, if there is one."""
    given = dict(zip(inspect.signature(function).parameters, args, strict=False)) | kwargs
    for name, value in given.items():
        if remedy := _remedy(name, value):
            word, found = function.__name__, type(value).__name__
            return TypeError(f"{name} of ops.{word} must be an array, not {found}: {remedy}")
    return None


def _remedy(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic | int | float | complex) or hasattr(
        value, "__array_namespace__"
    ):
        return ""
    if isinstance(value, list | tuple):
        return f"pass np.asarray({name})"
    if type(value).__module__.split(".")[0] == "sympy":
        if getattr(value, "is_Matrix", False) and hasattr(value, "tolist"):
            return f"pass np.array({name}.tolist(), dtype=object)"
        return "pass explicit symbols, as mvnlib.symbols('symmetric', 'S', 2) makes them"
    return f"pass {name}.to_numpy()" if hasattr(value, "to_numpy") else f"pass np.asarray({name})"


def _namespace(A: Matrix) -> Any:
    return A.__array_namespace__()


@_word
def tr(A: Matrix) -> Any:
    """Trace: the sum of the diagonal, ``(..., d, d) -> (...)``.

    >>> ops.tr(np.array([[1, 2], [3, 4]]))
    np.int64(5)
    """
    return A.trace(axis1=-2, axis2=-1)


@_word
def det(A: Matrix) -> Any:
    """Determinant, ``(..., d, d) -> (...)``.

    >>> ops.det(np.diag([2.0, 3.0]))
    np.float64(6.0)
    """
    if not is_symbolic(A):
        return _namespace(A).linalg.det(A)
    if _elimination.get():
        _, U = _eliminate(A)
        return np.prod(U.diagonal())
    return _leibniz(A)


@_word
def logdet(A: Matrix) -> Any:
    """Logarithm of the absolute value of the determinant, ``(..., d, d) -> (...)``.

    For a complex matrix near a real one the phase of the determinant, measured from the real axis, is the
    imaginary part; this is what lets the complex step through.

    >>> S, h = np.diag([2.0, 4.0]), 1e-20
    >>> ops.logdet(S + 1j * h * np.eye(2)).imag / h  # the trace of the inverse
    np.float64(0.75)
    """
    if is_symbolic(A):
        if _elimination.get():
            _, U = _eliminate(A)
            return sum(log(pivot**2) for pivot in U.diagonal()) / 2
        return log(_leibniz(A))
    xp = _namespace(A)
    sign, size = xp.linalg.slogdet(A)
    if xp.isdtype(A.dtype, "complex floating"):
        return size + 1j * xp.angle(sign * xp.sign(sign.real))
    return size


@_word
def adjugate(A: Matrix) -> Matrix:
    """Adjugate: the transposed matrix of cofactors, ``(..., d, d) -> (..., d, d)``.

    Defined for singular ``A`` too.  It costs d * d determinants: it is here for Jacobi's formula.

    >>> ops.adjugate(np.array([[1.0, 2.0], [2.0, 4.0]])).round(6)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    d = A.shape[-1]
    if d == 1:
        return A * 0 + 1
    rows = []
    for i in range(d):
        row = []
        for j in range(d):
            keep_rows = np.array([r for r in range(d) if r != j])
            keep_cols = np.array([c for c in range(d) if c != i])
            minor = A[..., keep_rows[:, None], keep_cols[None, :]]
            row.append((-1) ** (i + j) * (_leibniz(minor) if is_symbolic(A) else det(minor)))
        rows.append(row)
    if is_symbolic(A):
        return np.array(rows, dtype=object)
    xp = _namespace(A)
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


@_word
def inv(A: Matrix) -> Matrix:
    """Inverse, ``(..., d, d) -> (..., d, d)``.

    >>> ops.inv(np.diag([2.0, 4.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    if not is_symbolic(A):
        return _namespace(A).linalg.inv(A)
    if _elimination.get():
        return _solve_columns(*_eliminate(A))
    return adjugate(A) * (1 / _leibniz(A))


@_word
def outer(a: Matrix, b: Matrix) -> Matrix:
    """Outer product ``a b^T``, ``(..., m), (..., n) -> (..., m, n)``.

    >>> ops.outer(np.array([1, 2]), np.array([3, 4]))
    array([[3, 4],
           [6, 8]])
    """
    return a[..., :, None] * b[..., None, :]


@_word
def dot(A: Matrix, B: Matrix) -> Any:
    """Inner product of two arrays of one shape: the sum of the products of all entries, ``tr(A^T B)``.

    >>> ops.dot(np.array([[1, 2], [3, 4]]), np.eye(2, dtype=int))
    np.int64(5)
    """
    product = A * B
    return product.sum() if hasattr(product, "sum") else product


@_word
def kron(A: Matrix, B: Matrix) -> Matrix:
    """Kronecker product, ``(m, n), (p, q) -> (m p, n q)``; with it ``vec(A S B) = kron(B^T, A) vec(S)``.

    >>> ops.kron(np.array([[1, 2]]), np.eye(2, dtype=int))
    array([[1, 0, 2, 0],
           [0, 1, 0, 2]])
    """
    return _namespace(A).kron(A, B)


@_word
def vec(A: Matrix) -> Matrix:
    """Stack the columns of ``A``, ``(..., m, n) -> (..., m n)``.

    >>> ops.vec(np.array([[1, 2], [3, 4]]))
    array([1, 3, 2, 4])
    """
    return A.mT.reshape(*A.shape[:-2], -1)


@_word
def diag(A: Matrix) -> Matrix:
    """The matrix that keeps the diagonal of ``A`` and is zero elsewhere, ``(..., d, d) -> (..., d, d)``.

    >>> ops.diag(np.array([[1, 2], [3, 4]]))
    array([[1, 0],
           [0, 4]])
    """
    return A * np.eye(A.shape[-1], dtype=int)


@_word
def lower_half(A: Matrix) -> Matrix:
    """The lower triangle of ``A`` with its diagonal halved: Phi of the Cholesky differential.

    >>> ops.lower_half(np.array([[1, 2], [3, 4]]))
    array([[0.5, 0. ],
           [3. , 2. ]])
    """
    return A * np.tril(np.ones(A.shape[-2:], dtype=int), -1) + diag(A) / 2


@_word
def sym(A: Matrix) -> Matrix:
    """Symmetric part ``(A + A^T) / 2``, ``(..., d, d) -> (..., d, d)``.

    >>> ops.sym(np.array([[1, 2], [4, 3]]))
    array([[1., 3.],
           [3., 3.]])
    """
    return (A + A.mT) / 2


@_word
def log(x: Any) -> Any:
    """Natural logarithm, entry by entry.

    >>> ops.log(np.array([1.0, 2.0])).round(4)
    array([0.    , 0.6931])
    """
    return _elementwise("log", x)


@_word
def exp(x: Any) -> Any:
    """Exponential, entry by entry.

    >>> ops.exp(np.array([0.0, 1.0])).round(4)
    array([1.    , 2.7183])
    """
    return _elementwise("exp", x)


def pi(like: Matrix) -> Any:
    """The number pi, exact when ``like`` is symbolic.

    >>> ops.pi(np.eye(2)), ops.pi(symbols("general", "S", 2))
    (3.141592653589793, pi)
    """
    if is_symbolic(like):
        import sympy

        return sympy.pi
    return np.pi


def _elementwise(word: str, x: Any) -> Any:
    if is_symbolic(x):
        return np.vectorize(lambda entry: _elementwise(word, entry), otypes=[object])(x)
    if hasattr(x, "free_symbols"):
        import sympy

        return getattr(sympy, word)(x)
    if isinstance(x, float | int | complex | np.generic):
        return getattr(np, word)(x)
    return getattr(_namespace(x), word)(x)


def _leibniz(A: Matrix) -> Any:
    """Determinant of symbols as the signed sum over permutations: a polynomial, as a proof wants it."""
    rows = tuple(map(tuple, A))
    # Numbers such as 1 and 1.0 would be one key; expressions of SymPy are told apart.
    known = all(hasattr(entry, "free_symbols") for entry in A.flat)
    return _signed_sum(rows) if known else _signed_sum.__wrapped__(rows)


@lru_cache(maxsize=1024)  # a proof asks for the same minors in every direction
def _signed_sum(rows: tuple[tuple[Any, ...], ...]) -> Any:
    total: Any = 0
    for order in itertools.permutations(range(len(rows))):
        sign = (-1) ** sum(a > b for a, b in itertools.combinations(order, 2))
        total = total + sign * prod(row[k] for row, k in zip(rows, order, strict=True))
    return total


def _eliminate(A: Matrix) -> tuple[Matrix, Matrix]:
    """Factors L (unit lower) and U (upper) of a matrix of symbols, without pivoting."""
    d = A.shape[0]
    U = A.copy()
    L = np.eye(d, dtype=int).astype(object)
    for k, i in itertools.combinations(range(d), 2):
        L[i, k] = U[i, k] / U[k, k]
        U[i, k:] = [0, *(U[i, j] - L[i, k] * U[k, j] for j in range(k + 1, d))]
    return L, U


def _solve_columns(L: Matrix, U: Matrix) -> Matrix:
    """Inverse of ``L U`` by substitution forwards and backwards, one unit column at a time."""
    d = L.shape[0]
    X = np.eye(d, dtype=int).astype(object)
    for i in range(d):
        for k in range(i):
            X[i] = X[i] - L[i, k] * X[k]
    for i in reversed(range(d)):
        for k in range(i + 1, d):
            X[i] = X[i] - U[i, k] * X[k]
        X[i] = X[i] / U[i, i]
    return X
