"""Spaces: where a variable lives, and which directions it may move in.

"Symmetric or not" is not a footnote to a formula.  It is the choice of a space: a symmetric matrix has fewer
directions than a general one, and a derivative is a statement about directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from mvnlib._scaling import EPS
from mvnlib._validation import (
    Array,
    as_dimension,
    as_generator,
    as_number,
    as_real,
    as_scaled,
    is_nearly_symmetric,
    one_of,
    quiet,
)

#: Length of a side that is named, but is not the dimension d: a rectangular shape catches a lost transpose.
OTHER_SIDES = MappingProxyType({"m": 2, "k": 4})


@dataclass(frozen=True)
class Space:
    """A set of vectors or matrices, with its points, its directions and its symbols.

    Parameters
    ----------
    name
        How the space is called in text and in :data:`SPACES`.
    shape
        The names of the sides: ``("d",)`` for a vector, ``("d", "d")`` for a square matrix, ``()`` for a
        number.
    sample
        ``sample(rng, shape, condition)`` draws a point.
    pattern
        Which entries of a point move together: a function of the shape that returns an integer array in which
        equal positive numbers share one symbol and 0 stays zero.
    holds
        Whether a given array is a point of the space.
    symmetric
        Whether all its points are symmetric matrices.

    Examples
    --------
    >>> spaces.positive_definite.basis(2)
    [array([[1., 0.],
           [0., 0.]]), array([[0., 1.],
           [1., 0.]]), array([[0., 0.],
           [0., 1.]])]
    >>> S = spaces.positive_definite.draw(np.random.default_rng(0), 3, condition=1e4)
    >>> float(np.linalg.cond(S).round(3))
    10000.0
    """

    name: str
    shape: tuple[str, ...]
    sample: Callable[[np.random.Generator, tuple[int, ...], float], Array] = field(repr=False)
    pattern: Callable[[tuple[int, ...]], Any] = field(repr=False)
    holds: Callable[[Array], bool] = field(repr=False)
    symmetric: bool = False

    def sides(self, d: int) -> tuple[int, ...]:
        """The shape of a point in dimension ``d``."""
        d = as_dimension("d", d)
        return tuple(d if side == "d" else OTHER_SIDES[side] for side in self.shape)

    def draw(self, rng: np.random.Generator, d: int, condition: float = 10.0) -> Array:
        """Draw a point of shape ``sides(d)``.

        ``condition``, at least 1, is the condition number of the matrices of the spaces ``invertible``,
        ``positive definite`` and ``lower triangular`` (from d = 2 on); the other spaces do not read it.
        """
        as_generator("rng", rng)
        if (condition := as_number("condition", condition)) < 1:
            raise ValueError(f"condition must be at least 1, but it is {condition}")
        return self.sample(rng, self.sides(d), condition)

    def basis(self, d: int) -> list[Array]:
        """The directions of the free entries: E_ij, and E_ij + E_ji where the space ties the two together."""
        pattern = self.pattern(self.sides(d))
        return [(pattern == label).astype(float) for label in range(1, pattern.max() + 1)]

    def direction(self, rng: np.random.Generator, d: int) -> Array:
        """A random allowed direction: standard normal entries, equal where the space ties them."""
        as_generator("rng", rng)
        pattern = self.pattern(self.sides(d))
        values: Array = np.concatenate([[0.0], rng.standard_normal(pattern.max())])[pattern]
        return values

    def symbols(self, letter: str, d: int) -> Any:
        """A point made of SymPy symbols such as ``S_12``, as an object array; tied entries share their
        symbol.

        From d = 10 on the two numbers of a name are set apart, ``S_1,12``: S_112 would stand for two entries.
        """
        import sympy

        sides = self.sides(d)
        pattern = self.pattern(sides)
        comma = "," if max(sides, default=0) > 9 else ""
        named: dict[int, Any] = {0: sympy.Integer(0)}
        entries = np.empty(sides, dtype=object)
        for place in np.ndindex(*sides):
            if (label := int(pattern[place])) not in named:
                index = comma.join(str(i + 1) for i in place)
                assumptions = {"positive": True} if self.name == "positive" else {"real": True}
                # A tied pair is met first above the diagonal, and is named so: S_12.
                named[label] = sympy.Symbol(f"{letter}_{index}" if index else letter, **assumptions)
            entries[place] = named[label]
        return entries

    @quiet
    def contains(self, point: Any) -> bool:
        """Whether ``point`` lies in the space: never, if it is not an array of finite real numbers.

        Symmetry is read up to rounding, and a matrix counts as invertible or positive definite if float64 can
        tell it from a singular one.
        """
        try:
            array = as_real("point", point, ndim=len(self.shape))
        except (TypeError, ValueError):
            return False
        return bool(self.holds(array))


def _free(shape: tuple[int, ...]) -> Any:
    return np.arange(1, int(np.prod(shape)) + 1).reshape(shape)


def _tied(shape: tuple[int, ...]) -> Any:
    d = shape[0]
    pattern = np.zeros(shape, dtype=int)
    pattern[np.triu_indices(d)] = np.arange(1, d * (d + 1) // 2 + 1)
    return np.maximum(pattern, pattern.T)


def _below(shape: tuple[int, ...]) -> Any:
    d = shape[0]
    pattern = np.zeros(shape, dtype=int)
    pattern[np.tril_indices(d)] = np.arange(1, d * (d + 1) // 2 + 1)
    return pattern


def _normal(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    return rng.standard_normal(shape)


def _lognormal(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    return np.exp(rng.normal(size=shape))


def _singular_values(rng: np.random.Generator, d: int, condition: float) -> Array:
    """Values from condition to 1, evenly spread in the logarithm, times a random scale near one.

    The smallest is about one, so that independent normal vectors are within sight of each other in the
    metric of such a covariance matrix, and a density at them is not zero.
    """
    return np.geomspace(condition, 1, d) * rng.uniform(0.5, 2) if d > 1 else rng.uniform(0.5, 2, size=1)


def _orthogonal(rng: np.random.Generator, d: int) -> Array:
    Q, R = np.linalg.qr(rng.standard_normal((d, d)))
    signed: Array = Q * np.sign(R.diagonal())
    return signed


def _invertible(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    d = shape[0]
    return (_orthogonal(rng, d) * _singular_values(rng, d, condition)) @ _orthogonal(rng, d)


def _symmetric(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    M = rng.standard_normal(shape)
    return (M + M.T) / 2


def _positive_definite(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    d = shape[0]
    Q = _orthogonal(rng, d)
    S = (Q * _singular_values(rng, d, condition)) @ Q.T
    return (S + S.T) / 2


def _accretive(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    """A positive definite matrix and an antisymmetric one of the size of its smallest eigenvalue."""
    S = _positive_definite(rng, shape, condition)
    M = rng.standard_normal(shape)
    A: Array = S + (M - M.T) * np.linalg.eigvalsh(S)[0] / 2
    return A


def _lower(rng: np.random.Generator, shape: tuple[int, ...], condition: float) -> Array:
    # R of A = Q R has the singular values of A; a Cholesky factor would be that of a matrix of condition**2.
    R = np.linalg.qr(_invertible(rng, shape, condition)).R
    L: Array = (R * np.sign(R.diagonal())[:, None]).T
    return L


def _is_positive_definite(A: Array) -> bool:
    try:
        as_scaled("point", A)
    except ValueError:  # LinAlgError is one
        return False
    return True


def _is_invertible(A: Array) -> bool:
    return _is_square(A) and bool(np.linalg.cond(A) * EPS < 1)


def _is_accretive(A: Array) -> bool:
    return _is_square(A) and bool(np.linalg.eigvalsh(A + A.T)[0] > 0)


def _is_lower(A: Array) -> bool:
    return _is_square(A) and bool((np.triu(A, 1) == 0).all()) and bool((A.diagonal() > 0).all())


def _is_positive(A: Array) -> bool:
    return bool((A > 0).all())


def _is_anything(A: Array) -> bool:
    return True


def _is_square(A: Array) -> bool:
    return bool(A.shape[0] == A.shape[1])


def matrix(rows: str, columns: str) -> Space:
    """The space of all matrices with the named sides: ``"d"``, ``"m"`` (2) or ``"k"`` (4).

    >>> spaces.matrix("m", "d").sides(3)
    (2, 3)
    """
    for name, side in (("rows", rows), ("columns", columns)):
        one_of(name, side, ("d", *OTHER_SIDES))
    holds = _is_square if rows == columns else _is_anything
    return Space(f"{rows} x {columns} matrix", (rows, columns), _normal, _free, holds)


number = Space("number", (), _normal, _free, _is_anything)
positive = Space("positive", (), _lognormal, _free, _is_positive)
vector = Space("vector", ("d",), _normal, _free, _is_anything)
general = Space("general", ("d", "d"), _normal, _free, _is_square)
invertible = Space("invertible", ("d", "d"), _invertible, _free, _is_invertible)
symmetric = Space("symmetric", ("d", "d"), _symmetric, _tied, is_nearly_symmetric, symmetric=True)
positive_definite = Space(
    "positive definite", ("d", "d"), _positive_definite, _tied, _is_positive_definite, symmetric=True
)
#: Square matrices with positive definite symmetric part: where a formula about a covariance matrix still has
#: a finite density when its entries move one at a time.
accretive = Space("accretive", ("d", "d"), _accretive, _free, _is_accretive)
lower = Space("lower triangular", ("d", "d"), _lower, _below, _is_lower)

#: Every space by its name; underscores serve for blanks, so ``SPACES["positive_definite"]`` works too.
SPACES: MappingProxyType[str, Space] = MappingProxyType(
    {
        key: space
        for space in (
            number,
            positive,
            vector,
            general,
            invertible,
            symmetric,
            positive_definite,
            accretive,
            lower,
        )
        for key in (space.name, space.name.replace(" ", "_"))
    }
)
