"""A fitted mixture, and how it prints itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from mvnlib._scaling import Array
from mvnlib._values import Value

_SHOWN_COMPONENTS = 6
_SHOWN_COORDINATES = 5


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Value):
    """A fitted mixture.

    Attributes
    ----------
    weights : ndarray, shape (K,)
    means : ndarray, shape (K, d)
    covariances : ndarray, shape (K, d, d)
    loglik : float
        Log-likelihood of these parameters.
    history : tuple of float
        What was maximised, before every step and at the end: the log-likelihood or, with a prior, its sum with the
        logarithm of the prior's density (0 where every covariance is the prior's V).
    converged : bool
        Whether the last gain was below the tolerance.
    maximum : bool or None
        True if what was maximised curves downwards in every direction here, which was tested after convergence.
        False at a saddle or on the way past one: it curves upwards in some direction, so a better point is near.
        None if the fit has not converged, or the test could not tell.
    identical : tuple of (int, int)
        Pairs of components that are the same, as far as a fit with this tolerance can tell.
    starts : tuple of float
        The last value of the history of every start that did not collapse, in the order of the starts; the
        highest is this fit.
    collapsed : int
        The number of starts from which a component collapsed.
    """

    weights: Array
    means: Array
    covariances: Array
    loglik: float
    history: tuple[float, ...]
    converged: bool
    maximum: bool | None = None
    identical: tuple[tuple[int, int], ...] = ()
    starts: tuple[float, ...] = ()
    collapsed: int = 0

    def __repr__(self) -> str:
        table = [_HEADS, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in table]
        body = [f"  {line.rstrip()}" for line in lines] + [f"  {line}" for line in self._below()]
        return "\n".join([self._title(), *body])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in _HEADS)
        body = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self._rows()
        )
        below = "".join(f"<p>{escape(line)}</p>" for line in self._below())
        return (
            f"<table><caption>{escape(self._title())}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{below}"
        )

    def _title(self) -> str:
        K, d = self.means.shape
        components = "component" if K == 1 else "components"
        return f"Mixture of {K} normal {components} in {d} dimension{'s' * (d > 1)}"

    def _rows(self) -> list[tuple[str, ...]]:
        deviations = np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2))
        rows: list[tuple[str, ...]] = [
            (str(k), f"{w:.3g}", _rounded(mean), _rounded(sd))
            for k, (w, mean, sd) in enumerate(zip(self.weights, self.means, deviations, strict=True))
        ]
        if len(rows) > _SHOWN_COMPONENTS:
            rows[_SHOWN_COMPONENTS - 1 : -1] = [("...", "", "", "")]
        return rows

    def _below(self) -> list[str]:
        steps = len(self.history) - 1
        end = "converged" if self.converged else "not converged"
        lines = [f"log-likelihood {self.loglik:.7g}, {end} after {steps} step{'s' * (steps != 1)}"]
        tried = len(self.starts) + self.collapsed
        if tried > 1:
            level = abs(self.history[-1]) * 1e-6
            best = sum(value >= self.history[-1] - level for value in self.starts)
            lines.append(f"best of {tried} starts: {best} ended here, {self.collapsed} collapsed")
        return lines + self.concerns()

    def concerns(self) -> list[str]:
        """What speaks against this fit, in sentences without a full stop."""
        found = []
        if self.identical:
            pairs = ", ".join(f"{j} and {k}" for j, k in self.identical[:_SHOWN_COMPONENTS])
            more = ", ..." if len(self.identical) > _SHOWN_COMPONENTS else ""
            found.append(f"components {pairs}{more} are identical: they count as one")
        if self.maximum is False:
            found.append(
                "this is a saddle or the way past one, no maximum: in some direction a small step gains"
            )
        return found


_HEADS = ("component", "weight", "mean", "standard deviations")


def _rounded(row: Array) -> str:
    """The first entries of a row with four digits."""
    shown = [f"{value:.4g}" for value in row[:_SHOWN_COORDINATES]]
    return f"[{', '.join(shown + ['...'] * (row.size > _SHOWN_COORDINATES))}]"
