"""The safe form of the E step: rows whitened for each component, at any distance and condition number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mvnlib._scaling import EPS, TINY, Array, exact_sum
from mvnlib.mixture.components import Components
from mvnlib.mixture.moments import Moments

#: Sums of squares above this have lost nothing to underflow.
LEAST = TINY / EPS


class Whitened:
    """Log densities from L^-1 (x - mu), and moments about mu; in blocks of at most ``rows`` rows."""

    def __init__(self, components: Components, rows: int) -> None:
        K, d = components.means.shape
        self.components, self.rows = components, rows
        self.x, self.y, self.z = np.empty((3, d, rows))
        self.logs, self.part = np.empty((K, rows)), np.zeros((d, d))
        self.counts, self.first, self.second = np.zeros(K), np.zeros((K, d)), np.zeros((K, d, d))

    def takes(self, block: Array) -> bool:
        """Read a block of rows, whatever they are."""
        self.block = self.x[:, : len(block)]
        self.block[...] = block.T
        return True

    def log_densities(self) -> Iterator[tuple[slice, Array]]:
        """The place of the block in itself, and log w_k N(x | mu_k, Sigma_k), (K, c)."""
        d, c = self.block.shape
        y, z, logs = self.y[:, :c], self.z[:, :c], self.logs[:, :c]
        h = d // 2
        for mu, root, squares in zip(self.components.means, self.components.roots, logs, strict=True):
            np.subtract(self.block, mu[:, None], out=y)
            # The upper half of a triangular matrix has zeros on the right, a quarter of the work.
            np.matmul(root[:h, :h], y[:h], out=z[:h])
            np.matmul(root[h:], y, out=z[h:])
            np.einsum("ij,ij->j", z, z, out=squares)
        logs *= -0.5
        logs += self.components.log_scales[:, None]
        yield slice(0, c), logs

    def add(self, weights: Array) -> None:
        """Add the block to the moments, its rows weighted by (K, c)."""
        d, c = self.block.shape
        y, z, part, h = self.y[:, :c], self.z[:, :c], self.part, d // 2
        self.counts += weights.sum(axis=1)
        for k, (mu, weight) in enumerate(zip(self.components.means, weights, strict=True)):
            np.subtract(self.block, mu[:, None], out=y)
            self.first[k] += y @ weight
            np.multiply(y, weight, out=z)
            # The block below the diagonal is the transpose of that above.
            np.matmul(z[:h], y.T, out=part[:h])
            np.matmul(z[h:], y[h:].T, out=part[h:, h:])
            self.second[k] += part

    def moments(self) -> Moments | None:
        """The moments of what was added; None if they have lost digits, and are to be found about the rows.

        A variance is the mean square less the square of the mean.  It keeps its digits while the second is not
        more than half of the first, that is while a mean moves by no more than a standard deviation.
        """
        h = self.part.shape[0] // 2
        unseen = self.counts == 0
        N = np.where(unseen, 1.0, self.counts)
        shifts, second = self.first / N[:, None], self.second / N[:, None, None]
        second[:, h:, :h] = second[:, :h, h:].mT
        squares = np.diagonal(second, axis1=1, axis2=2)
        safe = (squares * N[:, None] > LEAST) & (2 * shifts * shifts <= squares) & (squares < np.inf)
        if not safe[~unseen].all():
            return None
        covariances = (second + second.mT) / 2
        covariances -= shifts[:, :, None] * shifts[:, None, :]
        return Moments(self.counts.copy(), shifts, np.zeros_like(shifts), covariances)


class Centred(Whitened):
    """The same with moments about the mean of each block's rows, merged: no digit is lost in any case."""

    def __init__(self, components: Components, rows: int) -> None:
        super().__init__(components, rows)
        self.total = Moments.nothing(*components.means.shape)

    def add(self, weights: Array) -> None:
        """Add the block to the moments, its rows weighted by (K, c), an array that is used up."""
        y = self.y[:, : self.block.shape[1]]
        found = Moments.nothing(*self.components.means.shape)
        for k, (mu, share) in enumerate(zip(self.components.means, weights, strict=True)):
            found.counts[k] = N = share.sum()
            if N == 0:
                continue
            # Counted from its foremost row: rows that are alike have a variance of exactly zero.
            first = self.block[:, np.argmax(share)]
            np.subtract(self.block, first[:, None], out=y)
            share /= N
            mean = y @ share
            y -= mean[:, None]
            y *= np.sqrt(share, out=share)
            found.covariances[k] = np.matmul(y, y.T, out=self.part)
            shift, rest = exact_sum(first, -mu)
            found.shifts[k], found.rests[k] = exact_sum(shift, rest + mean)
        self.total = self.total + found

    def moments(self) -> Moments:
        """The moments of what was added."""
        return self.total
