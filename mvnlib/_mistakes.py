"""The catalogue of mistakes with a matrix derivative: to plant in tests, and to name in a hint."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ._validation import Array
from .conventions import convert_gradient


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
        plant(G, S) makes the wrong table from the right entrywise table G at the point S.
    fit : {"exact", "multiple", "residual"}
        Which tables count as this mistake: the planted one; any multiple of it; or any that differ from the
        right one by a multiple of what the planted one differs by.
    """

    key: str
    hint: str
    plant: Callable[[Array, Array], Array]
    fit: Literal["exact", "multiple", "residual"] = "exact"


def _transposed(G: Array) -> Array:
    return G.swapaxes(0, 1).copy()


def _inverse(G: Array) -> Array:
    return np.asarray(np.linalg.inv(G), dtype=float)


def _masked(G: Array, mask: Array) -> Array:
    """G with zeros where the mask over its first two axes has them."""
    return G * mask.reshape(*mask.shape, *[1] * (G.ndim - 2))


def _diagonal(G: Array) -> Array:
    return _masked(G, np.eye(*G.shape[:2]))


MISTAKES = (
    Mistake(
        "zero",
        "it is zero: somebody took f for a constant, as a symbolic matrix inside a function or a complex step "
        "through Cholesky or abs does, without an error",
        lambda G, S: 0 * G,
    ),
    Mistake("sign", "the sign is wrong", lambda G, S: -G),
    Mistake("double", "it is twice the right table: a factor 1/2 is missing", lambda G, S: 2 * G),
    Mistake("half", "it is half the right table: a factor 2 is missing", lambda G, S: 0.5 * G),
    Mistake(
        "transpose",
        "it is the transpose of the right table: df = tr(G^T dS), so beside dS in a trace stands G^T, not G",
        lambda G, S: _transposed(G),
    ),
    Mistake(
        "symmetrised",
        "it is (G + G^T) / 2: right on symmetric directions only, but the entries of the table move alone",
        lambda G, S: (G + _transposed(G)) / 2,
    ),
    Mistake(
        "transpose_added",
        "it is G + G^T: for free entries the diagonal must then be taken off once, for a gradient halve it",
        lambda G, S: G + _transposed(G),
    ),
    Mistake(
        "diagonal_doubled",
        "the diagonal is twice what it should be: G + G^T counts it twice, so diag(G) must be taken off once",
        lambda G, S: G + _diagonal(G),
    ),
    Mistake(
        "off_diagonal_doubled",
        "the off-diagonal entries are twice what they should be: that counts S_ij and S_ji as moving "
        "together, which is the free convention",
        lambda G, S: 2 * G - _diagonal(G),
    ),
    Mistake(
        "off_diagonal_halved",
        "the off-diagonal entries are half of what they should be: where S_ij and S_ji move together, the "
        "change is felt twice",
        lambda G, S: (G + _diagonal(G)) / 2,
    ),
    Mistake(
        "one_triangle",
        "it is the table of a function that reads only the lower triangle of S: doubled below the diagonal, "
        "0 above it",
        lambda G, S: _masked(2 * G - _diagonal(G), np.tri(*G.shape[:2])),
    ),
    Mistake("diagonal_dropped", "the diagonal has been dropped", lambda G, S: G - _diagonal(G)),
    Mistake("diagonal_only", "only the diagonal is there", lambda G, S: _diagonal(G)),
    Mistake("inverse_missing", "it is the inverse of the right table", lambda G, S: _inverse(G)),
    Mistake(
        "of_the_inverse",
        "it is the derivative with respect to the inverse of S: -S^T G S^T",
        lambda G, S: -S.T @ G @ S.T,
    ),
    Mistake(
        "factor",
        "a constant factor is wrong, such as the number n of observations",
        lambda G, S: 3 * G,
        "multiple",
    ),
    Mistake(
        "only_the_log_det",
        "it is a multiple of S^-T: the log-determinant's term alone, the term of the data is missing",
        lambda G, S: -_inverse(S).T / 2,
        "multiple",
    ),
    Mistake(
        "log_det_missing",
        "what is wrong with it is a multiple of S^-T: the term of the log-determinant is missing, or has a "
        "wrong factor",
        lambda G, S: G + _inverse(S).T / 2,
        "residual",
    ),
)


def recognise(
    candidate: Array, right: Array, S: Array, convention: str = "entrywise", rtol: float = 1e-5
) -> Mistake | None:
    """Return the first mistake of the catalogue that turns the right table into the candidate.

    A mistake that changes nothing here (a transpose of a symmetric table) is passed over, as is one that has
    no meaning for the shape or the point.  Where the tables are `free`, a mistake about the terms of the
    gradient is planted there, before the table is made of it.
    """
    atol = rtol * max(float(np.abs(candidate).max()), float(np.abs(right).max()))

    def close(A: Array, B: Array) -> bool:
        return bool((np.abs(A - B) <= atol).all())

    if close(candidate, right):
        return None
    for mistake in MISTAKES:
        try:
            if convention == "free" and mistake.fit != "exact":
                gradient = convert_gradient(right, "free", "frobenius")
                wrong = convert_gradient(mistake.plant(gradient, S), "frobenius", "free")
            else:
                wrong = mistake.plant(right, S)
        except (ValueError, IndexError):  # LinAlgError is a ValueError
            continue
        if wrong.shape != right.shape or not np.isfinite(wrong).all() or close(wrong, right):
            continue
        base = right if mistake.fit == "residual" else np.zeros_like(right)
        ray = wrong - base
        if mistake.fit != "exact":
            length = float((ray * ray).sum())
            ray = ray * (float((ray * (candidate - base)).sum()) / length if length else 0.0)
        if close(base + ray, candidate):
            return mistake
    return None
