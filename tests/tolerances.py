"""How far apart two right answers may be, in one place.

A tolerance is a number of rounding errors: ``units`` times eps times the condition number of the point.
"""

from __future__ import annotations

from typing import Any

import numpy as np

EPS = float(np.finfo(float).eps)

#: Units for two formulations of the same derivative, each a few matrix products and inverses.
FORMULA = 200.0
#: Relative error promised of the JavaScript against Python, up to condition number 1e6.
JAVASCRIPT = 1e-9
#: Relative errors of differences at condition number 10, by scheme.
DIFFERENCES = {"central": 1e-6, "richardson": 1e-9, "complex": 1e-12}


def rounding(condition: float = 1.0, units: float = FORMULA) -> float:
    """A relative tolerance: ``units`` of eps times ``condition``."""
    return units * EPS * condition


def assert_close(actual: Any, desired: Any, rtol: float, what: str = "") -> None:
    """Shapes are equal, and the largest difference is within ``rtol`` of the largest entry."""
    actual, desired = np.asarray(actual), np.asarray(desired)
    assert actual.shape == desired.shape, f"{what}: shape {actual.shape} against {desired.shape}"
    assert np.isfinite(desired).all(), f"{what}: the reference is not finite"
    error, size = np.abs(actual - desired).max(), np.abs(desired).max()
    assert error <= rtol * size, f"{what}: off by {error / size if size else error:.2e}, allowed {rtol:.2e}"


def is_close(actual: Any, desired: Any, rtol: float) -> bool:
    """Whether :func:`assert_close` would pass."""
    actual, desired = np.asarray(actual), np.asarray(desired)
    return bool(
        actual.shape == desired.shape and np.abs(actual - desired).max() <= rtol * np.abs(desired).max()
    )
