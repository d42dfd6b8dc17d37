"""The catalogue of mistakes with a matrix derivative: to plant in tests, and to name in a hint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mvnlib import ops
from mvnlib._scaling import EPS
from mvnlib._validation import Array, is_nearly_symmetric
from mvnlib.conventions import convert_gradient


@dataclass(frozen=True)
class Mistake:
    """One way to go wrong.

    Attributes
    ----------
    key : str
        Permanent name.
    hint : str
        What a learner is told.
    plant : callable
        plant(G, S) makes the wrong table from the right entrywise table G at the point S, in the words of
        `mvnlib.ops`: of numbers, of symbols, and as JavaScript.
    up_to : callable, optional
        up_to(G, S) gives tables, orthogonal to each other: the planted table plus any multiples of them counts
        as this mistake too.
    about : {"table", "terms", "conventions"}
        What the mistake is made in. One about the `terms` of a likelihood is made in the gradient, before a
        `free` table is made of it; one that mixes `conventions` is made between them.
    needs : {"anything", "matrix", "square", "inverse", "symmetric table"}
        What G and S have to be for the mistake to have a meaning.
    """

    key: str
    hint: str
    plant: Callable[[Array, Array], Array]
    up_to: Callable[[Array, Array], Sequence[Array]] | None = None
    about: Literal["table", "terms", "conventions"] = "table"
    needs: Literal["anything", "matrix", "square", "inverse", "symmetric table"] = "anything"

    def applies(self, G: Array, S: Array) -> bool:
        """Whether the mistake can be made in a table G at a point S."""
        if self.about != "table" and (G.shape != S.shape or not _is_invertible(S)):
            return False
        if self.needs == "anything":
            return True
        if self.needs == "matrix":
            return G.ndim >= 2 and S.ndim == 2
        if G.ndim < 2 or S.ndim != 2 or S.shape[0] != S.shape[1]:
            return False
        if self.needs == "inverse":
            return _is_invertible(G)
        return self.needs == "square" or _is_nearly_symmetric(G)


def _is_invertible(A: Array) -> bool:
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        return False
    return ops.is_symbolic(A) or bool(np.linalg.cond(A) * EPS < 1e-3)


def _is_nearly_symmetric(G: Array) -> bool:
    if G.ndim != 2 or ops.is_symbolic(G):
        return False
    return bool(np.abs(G - G.T).max() <= 1e-3 * np.abs(G).max())


def _transposed(G: Array) -> Array:
    return G.swapaxes(0, 1).copy()


def _masked(G: Array, mask: Array) -> Array:
    """G with zeros where the mask over its first two axes has them."""
    return G * mask.reshape(*mask.shape, *[1] * (G.ndim - 2))


def _diagonal(G: Array) -> Array:
    return _masked(G, np.eye(*G.shape[:2]))


def _off_diagonal(G: Array) -> Array:
    return G - _diagonal(G)


def _turns(d: int) -> list[Array]:
    """A basis of the antisymmetric matrices."""
    unit = np.eye(d)
    return [np.outer(unit[i], unit[j]) - np.outer(unit[j], unit[i]) for i in range(d) for j in range(i)]


def _with_a_turn(G: Array) -> Array:
    turn = np.triu(np.ones(G.shape), 1)
    wrong: Array = G + G[0, 0] / 2 * (turn - turn.T)
    return wrong


MISTAKES = (
    Mistake(
        "zero",
        "it is zero: somebody took f for a constant, as a symbolic matrix inside a function or a complex step "
        "through Cholesky or abs does, without an error",
        lambda G, S: 0 * G,
    ),
    Mistake("sign", "the sign is wrong", lambda G, S: -G),
    Mistake("double", "it is twice the right table: a factor 1/2 is missing", lambda G, S: 2 * G),
    Mistake("half", "it is half the right table: a factor 2 is missing", lambda G, S: G / 2),
    Mistake(
        "transpose",
        "it is the transpose of the right table: df = tr(G^T dS), so beside dS in a trace stands G^T, not G",
        lambda G, S: _transposed(G),
        needs="square",
    ),
    Mistake(
        "transpose_and_sign",
        "it is minus the transpose of the right table: the sign is wrong, and so is the order of the indices",
        lambda G, S: -_transposed(G),
        needs="square",
    ),
    Mistake(
        "symmetrised",
        "it is (G + G^T) / 2: right on symmetric directions only, but the entries of the table move alone",
        lambda G, S: (G + _transposed(G)) / 2,
        needs="square",
    ),
    Mistake(
        "transpose_added",
        "it is G + G^T: for free entries the diagonal must then be taken off once, for a gradient halve it",
        lambda G, S: G + _transposed(G),
        needs="square",
    ),
    Mistake(
        "diagonal_doubled",
        "the diagonal is twice what it should be: G + G^T counts it twice, so diag(G) must be taken off once",
        lambda G, S: G + _diagonal(G),
        needs="matrix",
    ),
    Mistake(
        "off_diagonal_doubled",
        "the off-diagonal entries are twice what they should be: that counts S_ij and S_ji as moving "
        "together, which is the free convention",
        lambda G, S: 2 * G - _diagonal(G),
        needs="matrix",
    ),
    Mistake(
        "free_form",
        "it is the free table, G + G^T - diag(G): there S_ij and S_ji move together, here each moves alone",
        lambda G, S: G + _off_diagonal(_transposed(G)),
        needs="square",
    ),
    Mistake(
        "free_form_doubled",
        "it is twice the free table: for free entries the off-diagonal ones are doubled, the diagonal ones are "
        "not, and nothing else is",
        lambda G, S: 2 * (G + _off_diagonal(_transposed(G))),
        needs="square",
    ),
    Mistake(
        "off_diagonal_halved",
        "the off-diagonal entries are half of what they should be: where S_ij and S_ji move together, the "
        "change is felt twice",
        lambda G, S: (G + _diagonal(G)) / 2,
        needs="matrix",
    ),
    Mistake(
        "one_triangle",
        "it is the table of a function that reads only the lower triangle of S: doubled below the diagonal, "
        "0 above it",
        lambda G, S: _masked(2 * G - _diagonal(G), np.tri(*G.shape[:2])),
        needs="matrix",
    ),
    Mistake(
        "lower_triangle",
        "it is the lower triangle of the right table: the entries above the diagonal have been left out",
        lambda G, S: _masked(G, np.tri(*G.shape[:2])),
        needs="matrix",
    ),
    Mistake(
        "upper_triangle",
        "it is the upper triangle of the right table: the entries below the diagonal have been left out",
        lambda G, S: _masked(G, np.tri(*G.shape[1::-1]).T),
        needs="matrix",
    ),
    Mistake(
        "diagonal_dropped", "the diagonal has been dropped", lambda G, S: G - _diagonal(G), needs="matrix"
    ),
    Mistake("diagonal_only", "only the diagonal is there", lambda G, S: _diagonal(G), needs="matrix"),
    Mistake(
        "inverse_missing", "it is the inverse of the right table", lambda G, S: ops.inv(G), needs="inverse"
    ),
    Mistake(
        "of_the_inverse",
        "it is the derivative with respect to the inverse of S: -S^T G S^T",
        lambda G, S: -(S.T @ G @ S.T),
        needs="square",
    ),
    Mistake(
        "factor",
        "a constant factor is wrong, such as the number n of observations",
        lambda G, S: 3 * G,
        up_to=lambda G, S: [G],
    ),
    Mistake(
        "only_the_log_det",
        "it is a multiple of S^-T: the log-determinant's term alone, the term of the data is missing",
        lambda G, S: -ops.inv(S).T / 2,
        up_to=lambda G, S: [ops.inv(S).T],
        about="terms",
    ),
    Mistake(
        "log_det_missing",
        "what is wrong with it is a multiple of S^-T: the term of the log-determinant is missing, or has a "
        "wrong factor",
        lambda G, S: G + ops.inv(S).T / 2,
        up_to=lambda G, S: [ops.inv(S).T],
        about="terms",
    ),
    Mistake(
        "data_sign",
        "but for a multiple of S^-T it is minus the right table: the term of the data has the wrong sign, as "
        "where the minus of d(S^-1) = -S^-1 dS S^-1 is forgotten",
        lambda G, S: -G - ops.inv(S).T,
        up_to=lambda G, S: [ops.inv(S).T],
        about="terms",
    ),
    Mistake(
        "free_log_det",
        "the term of the log-determinant is in the free form, doubled off the diagonal, and the term of the "
        "data is not: one table has one convention",
        lambda G, S: G - _off_diagonal(ops.inv(S)) / 2,
        up_to=lambda G, S: [_off_diagonal(ops.inv(S))],
        about="conventions",
    ),
    Mistake(
        "free_data",
        "the term of the data is in the free form, doubled off the diagonal, and the term of the "
        "log-determinant is not: one table has one convention",
        lambda G, S: G + _off_diagonal(_transposed(G)) + _off_diagonal(ops.inv(S)) / 2,
        up_to=lambda G, S: [_off_diagonal(ops.inv(S))],
        about="conventions",
    ),
    Mistake(
        "antisymmetric_part",
        "only its symmetric part is right, as of an automatic derivative through a function that reads one triangle of "
        "S: use (G + G^T) / 2",
        lambda G, S: _with_a_turn(G),
        up_to=lambda G, S: _turns(len(G)),
        needs="symmetric table",
    ),
    Mistake(
        "term_transposed",
        "its symmetric part is right and its antisymmetric part is not: one of its terms is transposed",
        lambda G, S: (3 * G + _transposed(G)) / 4,
        up_to=lambda G, S: _turns(len(G)),
        about="terms",
        needs="square",
    ),
)


def recognise(
    candidate: Array,
    right: Array,
    S: Array,
    convention: str = "entrywise",
    units: Array | float = 1.0,
    rtol: float = 1e-5,
    tolerance: Array | float = 0.0,
) -> Mistake | None:
    """Return the mistake of the catalogue that turns the right table into the candidate, if only one does.

    Tables are compared in the `units` of their entries, relative to the candidate: one that is only small is not zero.
    The right table is known to the `tolerance`, and so is what a mistake makes of it.
    A mistake that changes nothing here (a transpose of a symmetric table) is passed over, as is one that has no
    meaning for the shape or the point. Of those that make one certain table the first is taken, if all that fit
    make the same: under noise they may not, and then there is no telling. They come before those that leave
    something open, and of these two would be two explanations.
    """
    largest = float(np.abs(candidate * units).max())
    blur = 2 * tolerance * units
    atol = rtol * largest

    def close(A: Array, B: Array) -> bool:
        return A.shape == B.shape and bool((np.abs((A - B) * units) <= atol + blur).all())

    if close(candidate, right):
        return None
    certain: list[tuple[Mistake, Array]] = []
    open_ones: list[Mistake] = []
    for mistake in MISTAKES:
        nearest = _nearest(mistake, candidate, right, S, convention, units, close)
        if nearest is None or not close(*nearest):
            continue
        wrong = nearest[0]
        if mistake.up_to is None:
            certain.append((mistake, wrong))
        else:
            open_ones.append(mistake)
    if certain:
        first, table = certain[0]
        exact = 2 * rtol * max(largest, float(np.abs(right * units).max()))
        same = all(bool((np.abs((other - table) * units) <= exact).all()) for _, other in certain[1:])
        return first if same else None
    sharp = float(np.max(blur)) <= 1e-3 * largest
    return open_ones[0] if len(open_ones) == 1 and sharp else None


def _nearest(
    mistake: Mistake,
    candidate: Array,
    right: Array,
    S: Array,
    convention: str,
    units: Array | float,
    close: Callable[[Array, Array], bool],
) -> tuple[Array, Array] | None:
    """Return the table that the mistake makes, as near to the candidate as it comes, and the candidate.

    None where the mistake has no meaning, or changes nothing.
    """
    if not mistake.applies(right, S):
        return None
    G, unharmed = right, right
    if mistake.about != "table" and convention == "free":
        G = convert_gradient(right, "free", "frobenius")
        if mistake.about == "terms":
            if not is_nearly_symmetric(candidate):
                return None
            unharmed, candidate = G, convert_gradient(candidate, "free", "frobenius")
    wrong = mistake.plant(G, S)
    if wrong.shape != right.shape or not np.isfinite(wrong).all() or close(wrong, unharmed):
        return None
    rest = candidate - wrong
    for ray in mistake.up_to(G, S) if mistake.up_to else ():
        one_term = mistake.about != "table" and close(ray * _along(ray, G, units), G)
        if one_term or _independent(ray) < 2:  # one number is a multiple of any other
            return None
        wrong = wrong + ray * _along(ray, rest, units)
    return wrong, candidate


def _along(ray: Array, table: Array, units: Array | float) -> float:
    """Return the multiple of the ray that is nearest to the table."""
    length = float(((ray * units) ** 2).sum())
    return float((ray * units * (table * units)).sum()) / length if length else 0.0


def _independent(ray: Array) -> int:
    """Count the entries that are not zero; of a symmetric table those below the diagonal, and on it."""
    if ray.ndim == 2 and ray.shape == ray.T.shape and np.allclose(ray, ray.T, atol=0):
        ray = np.tril(ray)
    return int(np.count_nonzero(np.abs(ray) > 1e-9 * np.abs(ray).max()))
