r"""The kinds of identity: an equality, a differential, a gradient.

An entry gives the statement as it is written by hand, its source, the space in which each variable lives, and
its two sides as functions in the vocabulary of :mod:`mvnlib.ops`.

Convention.  ``grad`` is always the ``entrywise`` table: entry (i, j) is the partial derivative when the entry
(i, j) of the variable moves alone, so that df[E] = sum_ij G_ij E_ij for *every* direction E, symmetric or
not.  The other two tables follow from it by :func:`mvnlib.conventions.convert_gradient`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvnlib import ops
from mvnlib._validation import one_of
from mvnlib.conventions import CONVENTIONS, convert_gradient
from mvnlib.spaces import Space

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Identity:
    """What every entry of the table has.

    Parameters
    ----------
    key
        A permanent name; the chapter that derives the identity labels its equation ``eq-<key>``.
    statement
        The identity in LaTeX, written by hand.
    source
        Where it is stated, with the number of the equation.
    reading
        The reading under which the source is right, or a remark on its layout; formulas between dollar signs.
    where
        The variables in the order of the arguments, each with its space.
    """

    key: str
    statement: str
    source: str
    reading: str
    where: Mapping[str, Space]

    def draw(
        self, rng: np.random.Generator, d: int, space: Space | None = None, condition: float = 10.0
    ) -> dict[str, Any]:
        """Draw a point: a value for each variable; ``space`` replaces that of the differentiated variable."""
        domain = self.domain(space)
        return {name: domain[name].draw(rng, d, condition) for name in domain}

    def symbols(self, d: int, space: Space | None = None) -> dict[str, Any]:
        """A point made of SymPy symbols."""
        domain = self.domain(space)
        return {name: domain[name].symbols(name, d) for name in domain}

    def domain(self, space: Space | None = None) -> Mapping[str, Space]:
        """``where``, with ``space`` in the place of the differentiated variable's own."""
        if space is not None:
            raise ValueError(
                f"identity {self.key!r} differentiates no variable, so space must be None, not {space.name!r}"
            )
        return self.where


@dataclass(frozen=True)
class Equality(Identity):
    """Two sides that are equal at every point: ``lhs(*point) == rhs(*point)``."""

    lhs: Callable[..., Any]
    rhs: Callable[..., Any]


@dataclass(frozen=True)
class Differentiable(Identity):
    """A function ``f`` and the variable ``wrt`` in which it is differentiated."""

    wrt: str
    f: Callable[..., Any]

    def domain(self, space: Space | None = None) -> Mapping[str, Space]:
        """``where``, with ``space`` in the place of the differentiated variable's own."""
        own = self.where[self.wrt]
        if space is None:
            return self.where
        if space.shape != own.shape:
            raise ValueError(
                f"space must hold what {self.wrt} is in {self.key!r}, a point of shape {own.shape}, "
                f"but the points of the space {space.name!r} have shape {space.shape}"
            )
        return {**self.where, self.wrt: space}

    def value(self, point: Point) -> Any:
        """f at the point."""
        return self.f(*self._arguments(point))

    def along(self, point: Point) -> Callable[[Any], Any]:
        """f as a function of the differentiated variable alone, the others held; takes stacks if f does."""
        return lambda variable: self.value({**point, self.wrt: variable})

    def differential(self, point: Point, E: Any) -> Any:
        """df at the point in the direction ``E`` of the differentiated variable."""
        raise NotImplementedError

    def _arguments(self, point: Point) -> list[Any]:
        missing = [name for name in self.where if name not in point]
        if missing:
            raise ValueError(
                f"point must give {', '.join(self.where)} of {self.key!r}, but there is no {', '.join(missing)}"
            )
        values = (point[name] for name in self.where)
        return [value if hasattr(value, "shape") else np.asarray(value) for value in values]


@dataclass(frozen=True)
class Differential(Differentiable):
    """A function with its differential: ``D(*point, E)`` is df in the direction E, shaped like f."""

    D: Callable[..., Any]

    def differential(self, point: Point, E: Any) -> Any:
        """df at the point in the direction ``E`` of the differentiated variable, shaped like f."""
        return self.D(*self._arguments(point), E)


@dataclass(frozen=True)
class Gradient(Differentiable):
    """A scalar function with its entrywise gradient, shaped like the variable."""

    grad: Callable[..., Any]

    def gradient(self, point: Point, convention: str = "entrywise") -> Any:
        """The gradient in a convention; ``frobenius`` and ``free`` read the variable as symmetric."""
        one_of("convention", convention, CONVENTIONS)
        table = self._table(point)
        if convention == "entrywise":
            return table
        return convert_gradient(table, "entrywise", convention)

    def differential(self, point: Point, E: Any) -> Any:
        """df at the point in the direction ``E``: the sum of its products with the gradient's entries."""
        return ops.dot(self._table(point), E)

    def _table(self, point: Point) -> Any:
        table = self.grad(*self._arguments(point))
        found, wanted = np.shape(table), np.shape(point[self.wrt])
        if found != wanted:  # NumPy would stretch it
            raise ValueError(f"grad of {self.key!r} must have the shape {wanted} of {self.wrt}, not {found}")
        return table
