"""Results are values: two are equal where all that they hold is equal."""

from __future__ import annotations

from typing import Any

import numpy as np


class Value:
    """Two of a kind are equal if their fields are; there is no hash, for arrays can change."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return equal(vars(self), vars(other)) if type(other) is type(self) else NotImplemented


def equal(one: Any, other: Any) -> bool:
    """Whether two fields are equal: an array to one with the same entries, and NaN to NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray | float) and isinstance(other, np.ndarray | float):
        return np.array_equal(one, other, equal_nan=True)
    return bool(one == other)
