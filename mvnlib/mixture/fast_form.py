r"""The fast form of the E step: log densities and moments as two matrix products.

Counted from a centre c, log w N(x | mu, Sigma) is linear in phi(x) = [1, y, vech(y y^T)], y = x - c.  So the log
densities of a chunk under all components are one product theta phi, and the weighted moments are another,
r phi^T: about half the operations of the whitened form.  The price is digits: terms that grow with the square
of y cancel.  This form knows when it must not be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from mvnlib._scaling import Array, powers_of_two, rescaled
from mvnlib.mixture.components import Components, buffer_length
from mvnlib.mixture.moments import Moments
from mvnlib.mixture.safe_form import LEAST

_CHUNK_BYTES, _CHUNK_ROWS = 1 << 19, 700
#: Dimensions, for each component and at most, up to which building phi pays (measured).
_DIMENSIONS_A_COMPONENT, _DIMENSIONS = 3, 40
#: Terms of this size may cancel.  It keeps a log density to 1e5 eps = 2e-11, and a covariance to as much of
#: itself in every direction; with two or three digits more lost, EM steps would no longer agree to 1e-10.
LIMIT = 1e5


class Natural:
    """The natural form for rows of the components' dimension, taken in blocks of at most ``rows``."""

    def __init__(self, components: Components, rows: int) -> None:
        K, d = components.means.shape
        self.units = powers_of_two(np.sqrt(np.diagonal(components.covariances.max(axis=0))))
        self.per_unit = 1 / self.units[:, None]
        # From a mean to the centre in a second step: the first is exact for data far from the origin.
        self.origin = components.means[0]
        means = (components.means - self.origin) / self.units
        self.centre = components.weights @ means / components.weights.sum()
        self.means = means - self.centre
        self.reach = np.abs(self.means).max(axis=0)
        upper, halves, self.places = _layout(d)
        roots = components.roots * self.units
        precisions = roots.transpose(0, 2, 1) @ roots
        slopes = (precisions @ self.means[:, :, None])[:, :, 0]
        scales = components.log_scales - (slopes[:, None, :] @ self.means[:, :, None])[:, 0, 0] / 2
        self.theta = np.concatenate(
            [scales[:, None], slopes, precisions.reshape(K, d * d)[:, upper] * halves], axis=1
        )
        self.sizes = np.abs(roots)
        q = self.theta.shape[1]
        self.step = min(rows, max(_CHUNK_ROWS, buffer_length(_CHUNK_BYTES, max(q, K))))
        self.rows, self.y = rows, np.empty((d, rows))
        self.phi, self.logs = np.zeros((q, self.step)), np.empty((K, self.step))
        self.phi[0] = 1.0
        ends = np.cumsum([1 + d, *range(d, 0, -1)])
        self.products = [
            (self.phi[1 + i], self.phi[1 + i : 1 + d], self.phi[ends[i] : ends[i + 1]]) for i in range(d)
        ]
        self.sums, self.part = np.zeros((K, q)), np.empty((K, q))

    @staticmethod
    def pays(n: int, d: int, K: int) -> bool:
        """Whether this form is the faster one for n rows."""
        return n > d and d <= min(_DIMENSIONS, _DIMENSIONS_A_COMPONENT * K)

    def takes(self, block: Array) -> bool:
        """Read a block of rows; the answer is whether they and the means are near enough to the centre.

        In y^T P y the terms that cancel are together at most \\|abs(L^-1) abs(y)\\|^2: over all rows of the block
        and all means this is bounded by its value at the largest abs(y_i) of each coordinate.
        """
        self.block = self.y[:, : len(block)]
        np.subtract(block.T, self.origin[:, None], out=self.block)
        self.block *= self.per_unit
        self.block -= self.centre[:, None]
        reach = np.maximum(np.maximum.reduce(self.block, axis=1), -np.minimum.reduce(self.block, axis=1))
        terms = self.sizes @ np.maximum(reach, self.reach)
        return bool((terms * terms).sum(axis=1).max() <= LIMIT)

    def log_densities(self) -> Iterator[tuple[slice, Array]]:
        """For a chunk of the block after the other: its place, and log w_k N(x | mu_k, Sigma_k), (K, c)."""
        d, rows = self.block.shape
        for start in range(0, rows, self.step):
            y = self.block[:, start : start + self.step]
            c = y.shape[1]
            self.phi[1 : 1 + d, :c] = y
            for one, others, products in self.products:
                np.multiply(one, others, out=products)
            self.chunk = self.phi[:, :c]
            yield slice(start, start + c), np.matmul(self.theta, self.chunk, out=self.logs[:, :c])

    def add(self, weights: Array) -> None:
        """Add the chunk given last to the moments, its rows weighted by (K, c)."""
        self.sums += np.matmul(weights, self.chunk.T, out=self.part)

    def moments(self) -> Moments | None:
        """The moments of what was added; None if they have lost digits and must be found in the other way.

        Each entry of sum y y^T is known to eps q_i q_j, with q_i^2 its diagonal.  So the covariance C that is left
        when the mean is taken off is known, relative to itself in any direction, to eps times the sum of
        abs(C^-1)_ij q_i q_j: large for a component that has become small, flat, or moved far from the centre.
        """
        counts = self.sums[:, 0]
        unseen = counts == 0
        averages = self.sums / np.where(unseen, 1.0, counts)[:, None]
        d = self.centre.size
        means, second = averages[:, 1 : 1 + d], averages[:, self.places]
        if np.count_nonzero(unseen):
            second[unseen] = np.eye(d)
        squares = np.diagonal(second, axis1=1, axis2=2)
        if np.count_nonzero(np.minimum.reduce(squares, axis=1) * counts > LEAST) < np.count_nonzero(counts):
            return None
        lengths = np.sqrt(squares)
        second -= means[:, :, None] * means[:, None, :]
        try:
            inverses = np.linalg.inv(second / lengths[:, :, None] / lengths[:, None, :])
        except np.linalg.LinAlgError:
            return None
        if not np.abs(inverses).reshape(-1, d * d).sum(axis=1).max() <= LIMIT:
            return None
        shifts = (means - self.means) * self.units
        covariances = rescaled(second, self.units)
        shifts[unseen] = covariances[unseen] = 0.0
        return Moments(counts.copy(), shifts, np.zeros_like(shifts), covariances)


@cache
def _layout(d: int) -> tuple[Any, Array, Any]:
    """Where a d x d matrix M and vech(y y^T) meet: places in M of its upper half, what halves the diagonal and
    changes the sign, and the places (d, d) in phi of the entries of M."""
    rows, columns = np.triu_indices(d)
    places = np.empty((d, d), dtype=int)
    places[rows, columns] = places[columns, rows] = 1 + d + np.arange(rows.size)
    return rows * d + columns, np.where(rows == columns, -0.5, -1.0), places
