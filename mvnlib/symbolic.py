"""Exact derivations: symbols of a space, derivatives in each convention, proofs, LaTeX, NumPy and JavaScript.

SymPy works here on *explicit entries*.  Its matrix expressions are no witness: SymPy 1.14 returns 0 for
``log(Determinant(X)).diff(X)`` and knows no symmetric argument.  An explicit matrix is a NumPy array of SymPy
expressions (see :mod:`mvnlib.ops`), so the very functions of the table run on symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import sympy
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.polys.rings import PolyElement, ring
from sympy.printing.jscode import JavascriptCodePrinter

from mvnlib import ops
from mvnlib._validation import as_real, brief, one_of
from mvnlib.conventions import CONVENTIONS
from mvnlib.identities import TABLE, Differentiable, Differential, Equality, Gradient, Identity
from mvnlib.spaces import SPACES, Space

__all__ = ["Proof", "derivative", "is_zero", "javascript", "latex", "numpy_function", "prove", "symbols"]

#: What stands in an expression that has no value, and equals itself for all that.
_NO_NUMBERS = (sympy.oo, -sympy.oo, sympy.zoo, sympy.nan)


def symbols(space: Space | str, letter: str, d: int) -> Any:
    """Return a point of a space made of SymPy symbols, as an object array.

    Parameters
    ----------
    space : Space or str
        A :class:`~mvnlib.spaces.Space` or its name; ``"positive_definite"`` gives a symmetric matrix whose
        entries (i, j) and (j, i) are one symbol.
    letter : str
        The name of the variable; entry (1, 2) of ``S`` is the symbol ``S_12``.
    d : int
        The dimension.

    Returns
    -------
    ndarray of object
        Shape (d,) or (d, d), as the space has it.

    Raises
    ------
    ValueError, TypeError
        If there is no space of that name, or ``d`` is no whole number of at least 1.

    Notes
    -----
    Cost: one symbol for each of the d^2 entries.

    Examples
    --------
    >>> symbols("symmetric", "S", 2)
    array([[S_11, S_12],
           [S_12, S_22]], dtype=object)
    """
    return _space(space).symbols(letter, d)


def derivative(f: Any, S: Any, convention: str = "entrywise") -> Any:
    """Differentiate a scalar expression entry by entry with respect to a matrix or vector of symbols.

    Parameters
    ----------
    f : sympy.Expr
        An expression in the symbols of ``S``.
    S : ndarray of object
        Symbols, as :func:`symbols` makes them.
    convention : {"entrywise", "frobenius", "free"}
        ``"entrywise"`` needs all entries of ``S`` to be different symbols.  ``"free"`` and ``"frobenius"``
        need a symmetric ``S``: SymPy's partial derivative in the shared symbol S_12 *is* the ``free`` entry,
        because the one symbol stands in both places; ``frobenius`` has half of it off the diagonal.

    Returns
    -------
    ndarray of object
        The table of derivatives, shaped like ``S``.

    Raises
    ------
    TypeError
        If ``f`` is not a scalar SymPy expression, or ``S`` has an entry that is neither a symbol nor zero.
    ValueError
        If the convention does not fit the symbols of ``S`` (with tied entries no entry can move alone), or
        ``f`` has a symbol that only shares its name with an entry of ``S``.

    Notes
    -----
    Cost: one symbolic derivative for each entry.  The conventions are those of :mod:`mvnlib.conventions`.

    Examples
    --------
    >>> S = symbols("symmetric", "S", 2)
    >>> derivative(S[0, 0] * S[1, 1] - S[0, 1] ** 2, S, "free")
    array([[S_22, -2*S_12],
           [-2*S_12, S_11]], dtype=object)
    """
    one_of("convention", convention, CONVENTIONS)
    S = np.asarray(S, dtype=object)
    _require_own_symbols(f, S)
    if convention == "entrywise" and _share_a_symbol(S):
        raise ValueError(
            "convention 'entrywise' moves one entry alone, but entries of S share a symbol; "
            "use 'free' or 'frobenius', or symbols of the general space"
        )
    if convention != "entrywise" and (S.ndim != 2 or S.shape != S.T.shape or (S != S.T).any()):
        raise ValueError(
            f"convention {convention!r} is about a symmetric matrix, but the symbols of S are not symmetric"
        )
    if convention != "entrywise" and _share_a_symbol(S[np.tril_indices(len(S))]):
        raise ValueError(
            f"convention {convention!r} ties S_ij to S_ji alone, but other entries of S share a symbol too"
        )
    table = np.array([sympy.diff(f, s) if s != 0 else sympy.S.Zero for s in S.flat], dtype=object).reshape(
        S.shape
    )
    if convention == "frobenius":
        off_diagonal = ~np.eye(S.shape[0], dtype=bool)
        table[off_diagonal] = table[off_diagonal] / 2
    return table


def _share_a_symbol(entries: Any) -> bool:
    moving = [entry for entry in entries.flat if entry != 0]
    return len(set(moving)) < len(moving)


def _require_own_symbols(f: Any, S: Any) -> None:
    """Refuse what SymPy would differentiate to zero: a symbol is another one if its assumptions differ."""
    if isinstance(f, np.ndarray) and f.ndim:
        raise TypeError(
            f"f must be a SymPy expression, not an array of shape {f.shape}: differentiate its entries, "
            f"f[{', '.join('0' * f.ndim)}] first"
        )
    if not isinstance(f, sympy.Expr):
        raise TypeError(f"f must be a SymPy expression in the symbols of S, not {f!r}")
    if not f.is_commutative or f.has(sympy.MatrixExpr):
        raise TypeError(
            f"f must be a scalar in the entries of S, which commute, not {f}: of matrix symbols SymPy takes "
            "derivatives to be zero"
        )
    for where, entry in np.ndenumerate(S):
        if not (isinstance(entry, sympy.Symbol) or entry == 0):
            place = f"S[{', '.join(map(str, where))}]" if where else "S"
            raise TypeError(
                f"S must be symbols, as symbols('symmetric', 'S', 2) makes them, but {place} is {entry!r}"
            )
    own = {str(symbol): symbol for entry in S.flat for symbol in sympy.sympify(entry).free_symbols}
    for symbol in f.free_symbols:
        if symbol != own.get(str(symbol), symbol):
            raise ValueError(
                f"f contains a symbol {symbol} that is not the entry {symbol} of S: they have one name but other "
                "assumptions, and SymPy would take the derivative to be zero; make f of the entries of S"
            )


@dataclass(frozen=True)
class Proof:
    """The outcome of an exact proof: a row for each free direction, true where the two sides are equal."""

    key: str
    d: int
    space: str
    rows: tuple[tuple[str, bool], ...]

    @property
    def holds(self) -> bool:
        """Whether every row holds."""
        return bool(self.rows) and all(row for _, row in self.rows)

    def __repr__(self) -> str:
        verdict = "proved" if self.holds else "NOT proved"
        count = sum(row for _, row in self.rows)
        return f"{self.key}: {verdict} at d = {self.d} ({self.space}), {count} of {len(self.rows)} directions"


def prove(identity: Identity | str, d: int, space: Space | str | None = None) -> Proof:
    """Prove an entry of the table at one dimension, exactly.

    For every free direction of the space ``f``, written in explicit entries, is differentiated, and the
    difference from the entry's own derivative is brought over a common denominator, as polynomials with
    rational coefficients.  SymPy differentiates polynomials, logarithms and what else there is; of a reciprocal
    the derivative is :math:`d(1/p) = -dp / p^2`.  The identity holds at that dimension if every numerator is
    the zero polynomial.  No number is rounded anywhere.

    Parameters
    ----------
    identity : Identity or str
        An entry of :data:`mvnlib.identities.TABLE`, or its key.
    d : int
        The dimension; 2 and 3 take milliseconds, 4 about a tenth of a second, 5 some seconds.
    space : Space or str, optional
        The space of the differentiated variable, if not the entry's own.  On ``"positive_definite"`` the
        directions are E_ii and E_ij + E_ji: this proves the ``free`` table, and with it the ``frobenius``
        one.

    Returns
    -------
    Proof
        With ``.holds`` and a row for each direction; of an equality, a row for each entry.

    Raises
    ------
    KeyError, ValueError, TypeError
        If there is no such entry or space, if the space has another shape than the variable (an equality has
        no variable to move), or ``d`` is no whole number of at least 1.

    Notes
    -----
    Cost: that of products of polynomials in the d^2 entries, exponential in d: at d = 2, 3, 4 and 5 the derivative
    of the inverse takes about 1 ms, 10 ms, 0.1 s and 3 s.

    Examples
    --------
    >>> prove("logdet", 3, "positive_definite")
    logdet: proved at d = 3 (positive definite), 6 of 6 directions
    """
    identity = _identity(identity)
    space = None if space is None else _space(space)
    point = identity.symbols(d, space)
    if isinstance(identity, Equality):
        left = _entries("lhs", identity.lhs(*point.values()))
        right = _entries("rhs", identity.rhs(*point.values()))
        if left.shape != right.shape:
            row = (f"shapes {left.shape} and {right.shape}", False)
            return Proof(identity.key, d, "every point", (row,))
        fractions = _Fractions([*left.flat, *right.flat])
        gaps = [
            fractions.written(a) - fractions.written(b) for a, b in zip(left.flat, right.flat, strict=True)
        ]
        rows = [(f"entry {n}", fractions.vanishes(gap)) for n, gap in enumerate(gaps, start=1)]
        return Proof(identity.key, d, "every point", tuple(rows))
    assert isinstance(identity, Differentiable)
    domain = identity.domain(space)[identity.wrt]
    value, variable = _entries("f", identity.value(point)), point[identity.wrt]
    claims = {
        variable[tuple(np.argwhere(direction)[0])]: _entries(
            "df", identity.differential(point, direction.astype(int))
        )
        for direction in domain.basis(d)
    }
    fractions = _Fractions([*value.flat, *(c for claim in claims.values() for c in claim.flat)], claims)
    rows = [
        (
            str(symbol),
            value.shape == claim.shape
            and all(
                fractions.vanishes(fractions.derivative(f, symbol) - fractions.written(c))
                for f, c in zip(value.flat, claim.flat, strict=True)
            ),
        )
        for symbol, claim in claims.items()
    ]
    return Proof(identity.key, d, domain.name, tuple(rows))


def _entries(name: str, values: Any) -> Any:
    """An array of SymPy expressions, also of what is one number."""
    array = np.array(values, dtype=object)
    for place in np.ndindex(*array.shape):
        array[place] = _expression(f"{name}[{', '.join(map(str, place))}]" if place else name, array[place])
    return array


def _expression(name: str, value: Any) -> Any:
    """A scalar as SymPy holds it; a text is none, for SymPy would run it as a program."""
    try:
        expression = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        expression = None
    if not isinstance(expression, sympy.Expr) or not expression.is_commutative:
        raise TypeError(f"{name} must be a scalar in symbols that commute, not {brief(value)}")
    return expression


def is_zero(expression: Any) -> bool:
    """Whether an expression is identically zero: rational in its symbols, with logarithms and exponentials.

    Every reciprocal and everything that is not a sum, a product or a power (``log(x)``, ``exp(x)``, a root,
    pi, a float) becomes a symbol of its own; what is left is a polynomial.  Then each reciprocal 1/p is
    multiplied out with p.

    Parameters
    ----------
    expression : sympy.Expr or number
        A scalar.

    Returns
    -------
    bool
        True means proved.  False means that the expression is not zero, or nowhere defined, or zero only
        because of a relation between opaque parts: ``log(x**2) - 2 log(x)`` and ``sin(x)**2 + cos(x)**2 - 1``
        give False.  What is divided by is taken for zero where it has opaque parts, and is zero at random points.

    Raises
    ------
    TypeError
        If the expression is not a scalar, or its symbols do not commute.

    Notes
    -----
    Cost: that of the products of polynomials, exponential in the number of symbols; milliseconds at d = 3.

    Examples
    --------
    >>> S = symbols("general", "S", 2)
    >>> symbolic.is_zero((ops.inv(S) @ S)[0, 1])
    True
    """
    expression = _expression("expression", expression)
    if expression.is_Float:
        return not expression
    fractions = _Fractions([expression])
    return fractions.vanishes(fractions.written(expression))


@lru_cache(maxsize=64)  # all the entries of a table are divided by the same
def _may_vanish(base: Any) -> bool:
    """Whether what is divided by is zero, or, having opaque parts, nowhere seen not to be."""
    return is_zero(base) or (bool(_parts([base])[2]) and not _differs_from_zero(base))


def _differs_from_zero(expression: Any) -> bool:
    """Whether an expression is seen not to be zero at one of some random points."""
    rng = np.random.default_rng(0)
    symbols = [*expression.atoms(MatrixElement), *(s for s in expression.free_symbols if s.is_Symbol)]
    for _ in range(4):
        point = {
            symbol: sympy.Rational(int(k), 97)
            for symbol, k in zip(symbols, rng.integers(30, 300, len(symbols)), strict=True)
        }
        value = expression.subs(point).evalf(30)  # of what is zero, it has no digit
        if value.is_number and not value.has(*_NO_NUMBERS) and abs(complex(value)) > 1e-100:
            return True
    return False


class _Fractions:
    """A ring of polynomials in which some expressions can be written, and those of them that are equal, equally.

    It has a generator for each symbol, for each reciprocal, and for each opaque part.  With ``moved``, symbols,
    it has what the derivatives by these are made of too.
    """

    def __init__(self, expressions: Iterable[Any], moved: Iterable[Any] = ()) -> None:
        expressions = list(expressions)
        free, bases, opaque, integral = _parts(expressions)
        self.slopes = {part: {s: sympy.diff(part, s) for s in moved} for part in opaque}
        if slopes := [slope for by in self.slopes.values() for slope in by.values()]:
            free, bases, opaque, integral = _parts([*expressions, *slopes])
        infinite = any(part.has(*_NO_NUMBERS) for part in (*bases, *opaque))
        self.defined = not infinite and not any(map(_may_vanish, bases))
        names = [*free, *(sympy.Dummy() for _ in (*opaque, *bases))]
        self.ring, *gens = ring(names or [sympy.Dummy()], sympy.ZZ if integral else sympy.QQ)
        # Two mappings: log(x) and 1 / log(x) are two generators, though both are found under log(x).
        self.known = dict(zip((*free, *opaque), gens, strict=False))
        # A reciprocal may sit inside the base of another: the outer one is cleared first.
        reciprocals = dict(zip(bases, gens[len(self.known) :], strict=False))
        self.reciprocals = {base: reciprocals[base] for base in sorted(bases, key=lambda b: -b.count_ops())}
        self.by: dict[Any, PolyElement] = {}

    def written(self, e: Any) -> PolyElement:
        """An expression as a polynomial."""
        if e not in self.known:
            self.known[e] = self._write(e)
        return self.known[e]

    def _write(self, e: Any) -> PolyElement:
        R = self.ring
        if e.is_Rational:
            return R.ground_new(R.domain.from_sympy(e))
        if e.is_Add:
            return sum(map(self.written, e.args), R.zero)
        if e.is_Mul:
            return prod(map(self.written, e.args), start=R.one)
        root, base, whole = _split_power(e)
        power = self.reciprocals[base] ** int(-whole) if whole < 0 else self.written(base) ** int(whole)
        return power if root == 1 else self.known[root] * power

    def derivative(self, e: Any, symbol: Any) -> PolyElement:
        """The derivative of an expression by one of the symbols moved: SymPy's, and the chain rule."""
        if (e, symbol) not in self.by:
            polynomial = self.written(e)
            total = polynomial.diff(self.known[symbol]) if symbol in self.known else self.ring.zero
            for base, reciprocal in self.reciprocals.items():
                if outer := polynomial.diff(reciprocal):
                    total -= outer * reciprocal**2 * self.derivative(base, symbol)
            for part, by in self.slopes.items():
                if outer := polynomial.diff(self.known[part]):
                    total += outer * self.written(by[symbol])
            self.by[e, symbol] = total
        return self.by[e, symbol]

    def vanishes(self, polynomial: PolyElement) -> bool:
        """Whether what a polynomial stands for is defined and identically zero."""
        if not self.defined:
            return False
        for base, reciprocal in self.reciprocals.items():
            polynomial = self._cleared(polynomial, reciprocal, self.written(base))
        return not polynomial

    def _cleared(self, polynomial: PolyElement, reciprocal: PolyElement, base: PolyElement) -> PolyElement:
        """Multiplied by the power of ``base`` that removes its reciprocal."""
        R = self.ring
        index = R.gens.index(reciprocal)
        parts: dict[int, PolyElement] = {}
        for monomial, coefficient in polynomial.terms():
            rest = (*monomial[:index], 0, *monomial[index + 1 :])
            parts.setdefault(monomial[index], R.zero)[rest] = coefficient
        degree = max(parts, default=0)
        return sum((part * base ** (degree - power) for power, part in parts.items()), R.zero)


def _split_power(power: Any) -> tuple[Any, Any, Any]:
    """Split p^(a/b) in a root of exponent in [0, 1) and a whole power: p^(-3/2) is p^(1/2) p^(-2)."""
    base, exponent = power.base, power.exp
    if not exponent.is_Rational:
        return power, base, sympy.S.Zero
    whole = sympy.floor(exponent)
    return sympy.Pow(base, exponent - whole), base, whole


def _parts(expressions: Iterable[Any]) -> tuple[list[Any], list[Any], list[Any], bool]:
    """The symbols, the bases of the reciprocals, and what a polynomial cannot hold, where it stands outside of
    such; and whether all coefficients are whole numbers."""
    free: dict[Any, None] = {}
    bases: dict[Any, None] = {}
    opaque: dict[Any, None] = {}
    integral = True
    stack = list(expressions)
    seen = set()
    while stack:
        e = stack.pop()
        if e in seen:
            continue
        seen.add(e)
        if e.is_Symbol:
            free[e] = None
        elif e.is_Rational:
            integral &= e.is_Integer
        elif e.is_Add or e.is_Mul:
            stack.extend(e.args)
        elif e.is_Pow:
            root, base, whole = _split_power(e)
            if root != 1:
                opaque[root] = None
            if whole < 0:
                bases[base] = None
            if whole:
                stack.append(base)
        else:
            opaque[e] = None
    return list(free), list(bases), list(opaque), integral


def latex(thing: Identity | str | Any) -> str:
    r"""Return LaTeX of an identity, of its key, or of a symbolic array or expression.

    Of an identity it is the statement, written by hand.

    Parameters
    ----------
    thing : Identity, str, sympy.Expr or ndarray of object
        An entry of the table, its key, an expression, or an array of one or two axes.

    Returns
    -------
    str
        Without dollar signs; a vector is written as a column, in ``bmatrix``.

    Raises
    ------
    KeyError, ValueError
        If a string is no key, or an array has more than two axes.
    TypeError
        If an entry is no number or expression.

    Notes
    -----
    Cost: proportional to what is printed.

    Examples
    --------
    >>> print(latex("logdet"))
    d\log|S| = \tr(S^{-1}\, dS)
    >>> print(latex(symbols("symmetric", "S", 2)))
    \begin{bmatrix}S_{11} & S_{12}\\S_{12} & S_{22}\end{bmatrix}
    """
    if isinstance(thing, Identity):
        return thing.statement
    if isinstance(thing, str):
        return _identity(thing).statement
    array = _entries("thing", thing)
    if array.ndim > 2:
        raise ValueError(f"thing must have at most two axes to be written, but its shape is {array.shape}")
    if array.ndim == 0:
        return str(sympy.latex(array.item()))
    return str(sympy.latex(sympy.Matrix(array), mat_str="bmatrix", mat_delim=""))


def numpy_function(identity: Identity | str, d: int) -> Callable[..., Any]:
    """Return a NumPy function of an entry at one dimension, generated from its run on symbols.

    The steps are those of elimination without pivoting, shared by ``cse``: the same that :func:`javascript`
    prints.

    Parameters
    ----------
    identity : Identity or str
        An entry of the table, or its key.
    d : int
        The dimension.

    Returns
    -------
    callable
        A function of the variables in the order of ``identity.where``; a differential takes the
        direction E last.  Its value is the entrywise gradient, the differential, or of an equality the
        left side: a float64 array, of no axes for a scalar.  It takes one point at a time, and raises
        ZeroDivisionError where a leading minor vanishes.

    Raises
    ------
    KeyError, ValueError, TypeError
        If there is no such entry, or ``d`` is no whole number of at least 1; the function refuses arguments that
        are no finite real arrays of the right shape, and those at which its value is no float.

    Notes
    -----
    Cost: O(d^3) steps at each point for an entry of first order, as by hand; to generate them takes some seconds
    at d = 5.

    Examples
    --------
    >>> numpy_function("logdet", 2)([[2, 1], [1, 1]])
    array([[ 1., -1.],
           [-1.,  2.]])
    """
    identity = _identity(identity)
    point = identity.symbols(d, _untied(identity))
    arguments = list(point.values())
    if isinstance(identity, Differential):
        arguments.append(identity.domain(_untied(identity))[identity.wrt].symbols("E", d))
    with ops.by_elimination():
        if isinstance(identity, Gradient):
            table = identity.gradient(point)
        elif isinstance(identity, Differential):
            table = identity.differential(point, arguments[-1])
        else:
            assert isinstance(identity, Equality)
            table = identity.lhs(*arguments)
    table = np.asarray(table, dtype=object)
    # Entries that are tied share a symbol, which is to be an argument once; and a variable may be called pi.
    place = {
        s: (n, index) for n, argument in enumerate(arguments) for index, s in _places(argument) if s.is_Symbol
    }
    compiled = sympy.lambdify(list(place), list(table.flat), modules="math", cse=True, dummify=True)
    shapes = [np.shape(argument) for argument in arguments]
    names = [*point, "E"]

    def function(*values: Any) -> Any:
        numbers = [
            as_real(name, value, shape=shape)
            for name, value, shape in zip(names, values, shapes, strict=False)
        ]
        if len(values) != len(shapes):
            raise TypeError(
                f"the function takes {', '.join(names[: len(shapes)])}, not {len(values)} arguments"
            )
        try:
            entries = compiled(*(float(numbers[n][index]) for n, index in place.values()))
        except OverflowError:
            entries = np.inf
        if not np.isfinite(entries).all():
            raise ValueError(f"{identity.key!r} is no float at this point; change the units of its arguments")
        return np.array(entries, dtype=float).reshape(table.shape)

    return function


def javascript(identity: Identity | str, d: int) -> str:
    """Return JavaScript for a differentiable entry at one dimension: an expression whose value is an object.

    The code is the run of the table's own functions on symbols, by elimination without pivoting, shared by
    ``cse``: there is no second copy of a formula.

    Parameters
    ----------
    identity : Identity or str
        A differentiable entry of the table, or its key.
    d : int
        The dimension.

    Returns
    -------
    str
        ``({value(v){...}, complex(v, E){...}, formula(v){...}})``, where ``v`` holds the variables by name as
        nested arrays: f; f with iE added to the differentiated variable, as ``{re, im}``, for the complex step;
        and the entrywise gradient.  A differential has ``differential(v, E)`` in the place of
        ``formula``.

    Raises
    ------
    TypeError
        If the entry is an equality, which has no derivative.
    KeyError, ValueError
        If there is no such entry, or ``d`` is below 1.

    Notes
    -----
    Where all leading minors are far from zero, as for a positive definite matrix, it is as accurate as a
    Cholesky factorisation; at a point with a vanishing leading minor it gives NaN.  Cost: O(d^3) steps at each
    point.  At d = 3 it is 1 to 6 kB for the entries of first order; at d = 5 it takes some seconds to generate.

    Examples
    --------
    >>> print(javascript("quadratic_x", 2)[:95])
    ({value(v){const {x,M}=v;const x0=x[0]*x[1];return M[0][0]*((x[0])*(x[0])) + M[0][1]*x0 + M[1][
    """
    identity = _identity(identity)
    if not isinstance(identity, Differentiable):
        raise TypeError(f"identity {identity.key!r} has no derivative: it is an equality")
    point = identity.symbols(d, _untied(identity))
    E = identity.domain(_untied(identity))[identity.wrt].symbols("E", d)
    place = {s: _access(name, index) for name, value in point.items() for index, s in _places(value)}
    moved = {s: _access("E", index) for index, s in _places(E)}
    leaf = {s: f"[{text},0]" for s, text in place.items()}
    for index, s in _places(point[identity.wrt]):
        leaf[s] = f"[{place[s]},{_access('E', index)}]"
    with ops.by_elimination():
        value = np.asarray(identity.value(point), dtype=object)
        if isinstance(identity, Gradient):
            name, arguments, table = "formula", "v", identity.gradient(point)
        else:
            name, arguments, table = "differential", "v,E", identity.differential(point, E)
    table = np.asarray(table, dtype=object)
    unpack = f"const {{{','.join(point)}}}=v;"
    real, imaginary = _nested(value, lambda n: f"z[{n}][0]"), _nested(value, lambda n: f"z[{n}][1]")
    return (
        "({"
        f"value(v){{{unpack}{_real_code(value, place)}}},"
        f"{name}({arguments}){{{unpack}{_real_code(table, place | moved)}}},"
        f"complex(v,E){{{_COMPLEX}{unpack}{_complex_code(value, leaf)}return {{re:{real},im:{imaginary}}};}}"
        "})"
    )


_COMPLEX = (
    "const add=(a,b)=>[a[0]+b[0],a[1]+b[1]],mul=(a,b)=>[a[0]*b[0]-a[1]*b[1],a[0]*b[1]+a[1]*b[0]],"
    "inv=a=>{const q=a[0]*a[0]+a[1]*a[1];return [a[0]/q,-a[1]/q]},"
    "log=a=>[Math.log(Math.hypot(a[0],a[1])),Math.atan2(a[1],a[0])],"
    "exp=a=>{const r=Math.exp(a[0]);return [r*Math.cos(a[1]),r*Math.sin(a[1])]},"
    "abs=a=>a[0]<0?[-a[0],-a[1]]:a;"  # the analytic continuation of |x| from the real axis, not the modulus
)


class _RealPrinter(JavascriptCodePrinter):  # type: ignore[misc]
    """JavaScript of a real expression, with integer powers as products (``Math.pow(x, -2)`` costs 60 ns)."""

    def __init__(self, place: dict[Any, str]) -> None:
        super().__init__()
        self.place = place

    def _print_Symbol(self, expr: Any) -> str:
        return self.place.get(expr, str(expr.name))

    def _print_Pow(self, expr: Any) -> str:
        if not expr.exp.is_Integer:
            return str(super()._print_Pow(expr))
        # In parentheses: SymPy prints a quotient's denominator as if a power bound tighter than a product.
        factors = [f"({self._print(expr.base)})"] * abs(int(expr.exp))
        product = factors[0] if len(factors) == 1 else f"({'*'.join(factors)})"
        return product if expr.exp > 0 else f"(1/{product})"


def _real_code(table: Any, place: dict[Any, str]) -> str:
    steps, results = sympy.cse(list(table.flat))
    printer = _RealPrinter(place)
    lines = "".join(f"const {name}={printer._print(step)};" for name, step in steps)
    return f"{lines}return {_nested(table, lambda n: printer._print(results[n]))};"


def _complex_code(table: Any, leaf: dict[Any, str]) -> str:
    steps, results = sympy.cse(list(table.flat))

    def text(e: Any) -> str:
        if e.is_Symbol:
            return leaf.get(e, str(e.name))
        if e.is_number:
            return f"[{_RealPrinter({})._print(e)},0]"
        if e.is_Add or e.is_Mul:
            word = "add" if e.is_Add else "mul"
            first, *rest = map(text, e.args)
            for other in rest:
                first = f"{word}({first},{other})"
            return first
        if e.is_Pow and e.exp.is_Integer:
            power = text(e.base)
            for _ in range(abs(int(e.exp)) - 1):
                power = f"mul({power},{text(e.base)})"
            return power if e.exp > 0 else f"inv({power})"
        if e.is_Pow:
            return f"exp(mul({text(e.exp)},log({text(e.base)})))"
        if e.func in (sympy.log, sympy.exp, sympy.Abs):
            return f"{e.func.__name__.lower()}({text(e.args[0])})"
        raise NotImplementedError(f"no complex JavaScript for {e.func.__name__}")

    lines = "".join(f"const {name}={text(step)};" for name, step in steps)
    return f"{lines}const z=[{','.join(map(text, results))}];"


def _nested(table: Any, entry: Callable[[int], str]) -> str:
    """JavaScript of a nested array shaped like ``table``, whose n-th entry prints as ``entry(n)``."""
    if table.ndim == 0:
        return entry(0)

    def rows(index: Any) -> str:
        return entry(int(index)) if np.ndim(index) == 0 else f"[{','.join(map(rows, index))}]"

    return rows(np.arange(table.size).reshape(table.shape))


def _places(value: Any) -> Iterable[tuple[tuple[int, ...], Any]]:
    array = np.asarray(value, dtype=object)
    return ((index, array[index]) for index in np.ndindex(*array.shape))


def _access(name: str, index: tuple[int, ...]) -> str:
    return name + "".join(f"[{i}]" for i in index)


def _untied(identity: Identity) -> Space | None:
    """The space in which no entries of the differentiated variable are tied, if its own ties some."""
    if isinstance(identity, Differentiable) and identity.where[identity.wrt].symmetric:
        return SPACES["general"]
    return None


def _identity(identity: Identity | str) -> Identity:
    if isinstance(identity, Identity):
        return identity
    if not isinstance(identity, str) or identity not in TABLE:
        raise KeyError(f"no identity {identity!r} in the table; it has {', '.join(TABLE)}")
    return TABLE[identity]


def _space(space: Space | str) -> Space:
    if isinstance(space, Space):
        return space
    return SPACES[one_of("space", space, list(SPACES))]
