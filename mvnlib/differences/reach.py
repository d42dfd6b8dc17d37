"""How long a step may be: the lengths over which functions vary about a point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvnlib._scaling import EPS, powers_of_two
from mvnlib._validation import Array, is_nearly_symmetric

_RESOLVED = 100 * EPS
_MODEST = 1e3  #: Of a condition up to this, units are not to blame


def scale(S: Array) -> tuple[float, float]:
    """Return the length over which functions of S vary, and the size of its entries."""
    size = float(np.abs(S).max()) or 1.0
    if S.ndim < 2 or min(S.shape) < 2:
        return size, size
    symmetric = is_symmetric(S)
    singular = np.linalg.eigvalsh(S) if symmetric else np.linalg.svd(S, compute_uv=False)
    sizes = [abs(value) for value in singular.tolist()]
    smallest, largest = min(sizes), max(sizes)
    return (smallest if smallest > max(S.shape) * EPS * largest else size), size


class Reach(NamedTuple):
    """How far each entry of a point may be moved.

    ``lengths`` has the shape of the point.  ``condition`` is the size of the entries in these lengths, and
    ``known`` says whether the lengths are those to a singular matrix, or guessed from the sizes of the entries.
    """

    lengths: Array
    condition: float
    known: bool


def reach(S: Array) -> Reach:
    """The length over which functions of S vary, for each entry.

    Of a symmetric matrix it is the distance to a singular one, its smallest eigenvalue in size; of a positive
    definite S with standard deviations s, where that is longer, s_i s_j times the smallest eigenvalue of the
    correlation matrix, so that units have no say.  For a general square matrix it is the same with the sizes of its
    rows and columns, and for a vector or a rectangular matrix the size of the entry: guesses, to begin with, for
    there the point does not tell.
    """
    if S.ndim == 2 and S.shape[0] == S.shape[1] and is_symmetric(S):
        length, size = scale(S)
        units = alike_units(S) if size > _MODEST * length or length == size else None
        if units is None or not np.count_nonzero(units - 1):
            return Reach(np.full(S.shape, length), max(size / length, 1.0), len(S) > 1)
        in_units, ratio = scale(S / units)
        lengths = units * in_units
        # Eigenvalues below this share of the largest are rounding, in part.
        if _RESOLVED * size < length < size:
            lengths = np.maximum(lengths, length)
        return Reach(lengths, max(ratio / in_units, 1.0), True)
    size = float(np.abs(S).max()) or 1.0
    if S.ndim == 2 and S.shape[0] == S.shape[1] > 1 and np.abs(S).max(axis=1).min() > 0:
        rows = powers_of_two(np.abs(S).max(axis=1, keepdims=True))
        columns = np.abs(S / rows).max(axis=0)
        units = rows * powers_of_two(np.where(columns > 0, columns, 1.0))
        length, size = scale(S / units)
        return Reach(units * length, max(size / length, 1.0), False)
    lengths = np.where(S == 0, size, np.maximum(np.abs(S), 1e-6 * size))
    return Reach(np.asarray(powers_of_two(lengths)) / 2, 2.0, False)


def common_length(S: Array) -> tuple[float, float] | None:
    """The length over which functions of a symmetric matrix vary, if units play no part in it, and its condition."""
    if S.ndim != 2 or len(S) < 2 or not is_symmetric(S):
        return None
    length, size = scale(S)
    return (length, max(size / length, 1.0)) if length < size <= _MODEST * length else None


def alike_units(S: Array) -> Array:
    """Units for the entries of S in which the variances of a positive definite S are alike, else ones.

    Millimetres beside grams make S ill-conditioned, and the entries of its gradient so unequal that an error in a
    small one cannot be told from rounding in a large one.  The units are powers of two: no digit is lost.
    """
    if S.ndim == 2:
        variances = S.diagonal()
        lowest, highest = float(variances.min()), float(variances.max())
        if 0 < lowest < highest / 4 and is_nearly_symmetric(S):
            deviations = 2.0 ** np.round(np.log2(variances) / 2)
            units: Array = np.outer(deviations, deviations)
            if np.linalg.eigvalsh(S / units)[0] > 0:
                return units
    return np.ones_like(S)


def norm(E: Array) -> float:
    """The Frobenius norm of a direction, whose squares may be no floats."""
    largest = float(np.abs(E).max())
    return largest * float(np.linalg.norm(E / largest)) if largest else 0.0


def is_symmetric(S: Array) -> bool:
    """Whether a point is a matrix that is exactly symmetric."""
    return S.ndim == 2 and S.shape[0] == S.shape[1] and not np.count_nonzero(S != S.T)
