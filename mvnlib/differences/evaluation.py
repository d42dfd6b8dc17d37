"""A function made safe to difference: given copies, on stacks where it takes them, every value checked."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import EPS
from mvnlib._validation import Array, as_given, probing

REMEDY = "Where the step has left the domain of f, pass a smaller step"
SYMMETRIC_HINT = (
    '; if f takes only symmetric S, use convention="frobenius" or "free", or a symmetric direction'
)

Describe = Callable[[int], str]


class Evaluation:
    """f around a point S.

    Attributes
    ----------
    at : array
        f(S), as floats.
    eps : float
        Relative rounding of the values of f.
    stacks : bool
        Whether f is called on stacks of points.
    """

    def __init__(self, f: Callable[..., Any], S: Array, batched: bool | None) -> None:
        if not callable(f):
            raise TypeError(f"f must be a function, not {f!r}")
        self.f = f
        at = checked(f(S.copy()), "S")
        self.eps = max(float(np.finfo(at.dtype).eps), EPS)
        self.at: Array = at.astype(float)
        self.hint = SYMMETRIC_HINT if S.ndim == 2 and S.shape[0] == S.shape[1] else ""
        self.forced = batched is True
        self.stacks = self._takes_stacks(S) if batched is None else bool(batched)

    def __call__(self, points: NDArray[Any], describe: Describe) -> NDArray[Any]:
        """Return the values (k, ...) at points (k, *S.shape); `describe(k)` says where the k-th lies."""
        if not self.stacks:
            return self._one_by_one(points, describe)
        cause: Exception | None = None
        try:
            values = as_given(self.f(points.copy()))
        except Exception as error:
            reason, cause = f"f raised {type(error).__name__}: {error}", error
        else:
            suits = values.shape == (len(points), *self.at.shape) and values.dtype.kind in _kinds(points)
            if suits and np.isfinite(values).all():
                return values
            found = f"f returned shape {values.shape} and type {values.dtype} for {len(points)} points"
            reason = "f has values that are not finite" if suits else found
        values = self._one_by_one(points, describe)  # names the point at fault, if there is one
        if self.forced:
            raise ValueError(f"batched=True, but {reason}, although it works point by point") from cause
        return values

    def _one_by_one(self, points: NDArray[Any], describe: Describe) -> NDArray[Any]:
        values = []
        for k, point in enumerate(points):
            try:
                value = self.f(point.copy())
            except Exception as error:
                kind = np.linalg.LinAlgError if isinstance(error, np.linalg.LinAlgError) else ValueError
                what = f"f raised {type(error).__name__} at {describe(k)}: {error}"
                raise kind(f"{what.rstrip('.')}. {REMEDY}{self.hint}") from error
            array = checked(value, describe(k), _kinds(points), f". {REMEDY}")
            if array.shape != self.at.shape:
                raise ValueError(
                    f"f must return one shape, but it is {self.at.shape} at S, {array.shape} at {describe(k)}"
                )
            values.append(array.copy())  # f may return one array again and again, with other values in it
        return np.stack(values)

    def _takes_stacks(self, S: Array) -> bool:
        """Try f on a few points far enough apart for a value that mixes them to show."""
        count = next(k for k in (3, 5, 7, 11, 13) if k not in S.shape + self.at.shape)
        zero = not S.any()
        # Largest first, then from the smallest on: in any sorted order another one is last, or first.
        parts = 1 - np.append(0, np.arange(count - 1, 0, -1)) / (4 * count)
        points = np.multiply.outer(parts, np.ones_like(S) if zero else S)
        try:
            with probing():
                values = as_given(self.f(points.copy()))
                if values.shape != (count, *self.at.shape) or values.dtype.kind not in "biuf":
                    return False
                ends = self.f(points[0].copy()) if zero else self.at, self.f(points[-1].copy())
            single = np.array(ends)
            gap = np.abs(values[:: count - 1] - single)
            return bool((gap <= 1e-7 * np.abs(single).max(initial=0.0)).all())
        except Exception:
            return False


def _kinds(points: NDArray[Any]) -> str:
    return "biufc" if points.dtype.kind == "c" else "biuf"


def checked(value: Any, place: str, kinds: str = "biuf", remedy: str = "") -> NDArray[Any]:
    """The value of f at a place as an array of finite numbers."""
    try:
        array = as_given(value)
    except ValueError as error:
        raise TypeError(f"f must return a number or an array, not {value!r} at {place}") from error
    if array.dtype.kind == "c" and "c" not in kinds:
        raise TypeError(f"f must be real at a real point, but at {place} it is complex: {array[()]}")
    if array.dtype.kind not in kinds:
        raise TypeError(f"f must return a number or an array of numbers, not {value!r} at {place}")
    if array.size == 0:
        raise ValueError(f"f must have a value, but at {place} it is empty: its shape is {array.shape}")
    if array.dtype.kind in "biu":
        array = array.astype(float)
    if not np.isfinite(array).all():
        raise ValueError(f"f must be finite, but at {place} it is {array[()]}{remedy}")
    return array
