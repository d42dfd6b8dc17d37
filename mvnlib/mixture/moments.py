"""Weighted moments of rows, one set for each component of a mixture: small values that add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvnlib._scaling import Array, exact_sum
from mvnlib._values import Value


@dataclass(frozen=True, eq=False)
class Moments(Value):
    """Weighted number, mean and covariance of some rows, for each of K components.

    ``counts`` (K,), the sums N_k of the weights.  ``shifts`` (K, d), how far the weighted mean is from the
    mean mu_k of the component, so that rows near mu_k and far from the origin lose no digits; ``rests``
    (K, d), what a float had no room for, so that rows far from mu_k lose none either.  ``covariances``
    (K, d, d), about the weighted mean, with divisor N_k.  All are zero where the count is.
    """

    counts: Array
    shifts: Array
    rests: Array
    covariances: Array

    @classmethod
    def nothing(cls, K: int, d: int) -> Moments:
        """The moments of no rows."""
        return cls(np.zeros(K), np.zeros((K, d)), np.zeros((K, d)), np.zeros((K, d, d)))

    def __add__(self, other: Moments) -> Moments:
        """Moments of both sets of rows: those of the pair of means are added to those about each mean."""
        counts = self.counts + other.counts
        known = np.where(counts > 0, counts, 1.0)
        mine, theirs = self.counts / known, other.counts / known
        gaps = (other.shifts - self.shifts) + (other.rests - self.rests)
        # From the mean of the heavier set to the common one it is not far, so little is rounded on the way.
        heavier = (mine >= theirs)[:, None]
        steps = np.where(heavier, theirs[:, None], -mine[:, None]) * gaps
        shifts, rests = exact_sum(
            np.where(heavier, self.shifts, other.shifts), np.where(heavier, self.rests, other.rests) + steps
        )
        roots = np.sqrt(mine * theirs)[:, None] * gaps
        covariances = mine[:, None, None] * self.covariances
        part = theirs[:, None, None] * other.covariances
        covariances += part
        covariances += np.multiply(roots[:, :, None], roots[:, None, :], out=part)
        return Moments(counts, shifts, rests, covariances)

    def placed(self, where: Any, K: int) -> Moments:
        """The same as moments of the components ``where`` of K, with nothing for the others."""
        if isinstance(where, slice):
            return self
        whole = Moments.nothing(K, self.shifts.shape[1])
        for name in self.__dataclass_fields__:
            getattr(whole, name)[where] = getattr(self, name)
        return whole
