"""The E step: log densities of the rows under each component, their responsibilities and moments.

Rows are taken a block at a time, each block in the fast form (:mod:`mvnlib.mixture.fast_form`) where that keeps
the digits of a log density, otherwise in the whitened one (:mod:`mvnlib.mixture.safe_form`), which always does.
Where either has lost digits of a moment, which shows only in the end, the rows are gone through once more, with more
care.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from math import isfinite, log
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvnlib._scaling import Array
from mvnlib._validation import as_float, require_finite
from mvnlib.mixture.components import Components, buffer_length
from mvnlib.mixture.fast_form import Natural
from mvnlib.mixture.moments import Moments
from mvnlib.mixture.safe_form import Centred, Whitened

_CHUNK_BYTES = 3 << 17  # measured: more than this, and products of matrices this small get slower
#: Responsibilities below this count as zero: near the smallest float, 1e-308, they would have few digits.
LEAST_SHARE = 1e-304
_FAINT = log(LEAST_SHARE)

Form = Natural | Whitened


def responsibilities(X: NDArray[Any], components: Components) -> Array:
    """Responsibilities of the components for the rows, (n, K)."""
    seen = _seen(components)
    result = np.zeros((len(X), components.weights.size))
    for rows, _, r, _ in _chunks(X, _forms(X, components.those(seen))):
        result[rows, seen] = r.T
    return result


def loglik(X: NDArray[Any], components: Components) -> float:
    """Log-likelihood of the rows."""
    forms = _forms(X, components.those(_seen(components)))
    return as_loglik(sum(value for _, value, _, _ in _chunks(X, forms)))


def loglik_and_moments(X: NDArray[Any], components: Components) -> tuple[float, Moments]:
    """Log-likelihood of the rows, and their moments weighted by responsibility."""
    seen = _seen(components)
    forms = _forms(X, components.those(seen))
    value, moments = _sums(X, forms)
    if moments is None:
        value, moments = _sums(X, [Centred(components.those(seen), forms[0].rows)])
    assert moments is not None
    return as_loglik(value), moments.placed(seen, components.weights.size)


def as_loglik(value: float) -> float:
    """The sum of some log densities, if it is a float."""
    if not isfinite(value):
        raise ValueError("X is so far from every component that its log-likelihood is no float")
    return value


def _sums(X: NDArray[Any], forms: list[Form]) -> tuple[float, Moments | None]:
    """Log-likelihood and moments; None for these where the fast form has lost their digits."""
    value, used = 0.0, set()
    for _, part, r, form in _chunks(X, forms):
        value += part
        form.add(r)
        used.add(form)
    parts = [form.moments() for form in forms if form in used]
    return value, None if None in parts else reduce(add, parts)


def _seen(components: Components) -> Any:
    """Index of the components that have weight: no row can tell whether the others are there."""
    everything = np.count_nonzero(components.weights) == components.weights.size
    return slice(None) if everything else components.weights > 0


def _forms(X: NDArray[Any], components: Components) -> list[Form]:
    """The forms to try, in this order."""
    n, (K, d) = len(X), components.means.shape
    rows = block_rows(n, d, K)
    whitened = Whitened(components, rows)
    return [Natural(components, rows), whitened] if Natural.pays(n, d, K) else [whitened]


def block_rows(n: int, d: int, K: int = 1) -> int:
    """Rows of a block of n rows of length d; no fewer than d: d x d sums, added to once a block, would cost."""
    return min(n, max(d, buffer_length(_CHUNK_BYTES, max(d, K))))


def _chunks(X: NDArray[Any], forms: list[Form]) -> Iterator[tuple[slice, float, Array, Form]]:
    """Chunk by chunk: the rows, their log-likelihood, their responsibilities (K, c), and the form of these."""
    step = forms[0].rows
    for start in range(0, len(X), step):
        block = as_float(X[start : start + step])
        form = next(form for form in forms if form.takes(block))
        for place, logs in form.log_densities():
            rows = slice(start + place.start, start + place.stop)
            top = np.maximum.reduce(logs, axis=0)
            logs -= top
            if np.minimum.reduce(logs, axis=None) < _FAINT:
                np.copyto(logs, -np.inf, where=logs < _FAINT)
            np.exp(logs, out=logs)
            total = np.add.reduce(logs, axis=0)
            logs /= total
            np.log(total, out=total)
            total += top
            value = float(np.add.reduce(total))
            if not isfinite(value):
                _require_finite_rows(X, rows.start, total)
            yield rows, value, logs, form


def _require_finite_rows(X: NDArray[Any], start: int, densities: Array) -> None:
    """Refuse rows of ``X`` of which a log density, those from row ``start`` on being given, is no float."""
    finite = np.isfinite(densities)
    if not finite.all():
        require_finite("X", X)
        raise ValueError(
            f"X[{start + int(np.argmin(finite))}] is so far from every component that the logarithm of its "
            "density is no float"
        )
