"""The Neumann series: its partial sums against the inverse of S + t E."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets

from mvnlib._validation import Array, as_number, as_positive_definite, as_real, quiet
from mvnlib.widgets.figure import Frame, log10
from mvnlib.widgets.front import module
from mvnlib.widgets.live import LARGEST_IN_PAGE, Given, Live

#: The most terms of the series that are summed.
_TERMS = 20
#: The powers of ten between which errors are drawn.
_AXIS = (-16, 4)


class NeumannExplorer(Live):
    """Partial sums of the Neumann series against the inverse of S + t E; made by :func:`mvnlib.explore_neumann`.

    Attributes
    ----------
    point, perturbation
        S and E, as nested lists.
    t
        The size of the perturbation.
    result
        ``value``, the inverse of S + t E; ``errors``, the relative error (in the Frobenius norm) of the sum
        of 0 to 20 terms; ``radius``, the spectral radius of t E S^-1; ``rms``, the root mean square of its
        entries.
    problem
        Why the last change was refused, or empty.
    """

    _esm = module("neumann")

    point = Given().tag(sync=True)
    perturbation = Given().tag(sync=True)
    t = traitlets.Float().tag(sync=True)
    t_max = traitlets.Float().tag(sync=True)

    _inputs = ("point", "perturbation", "t")
    _page_state = (*Live._page_state, *_inputs, "t_max")

    def __init__(self, S: Array, E: Array, t: float) -> None:
        start = {"point": S.tolist(), "perturbation": E.tolist()}
        rate = _radius(E @ np.linalg.inv(S))
        super().__init__(
            kind="neumann",
            name="neumann",
            label="Explorer: partial sums of the Neumann series for the inverse of S + t E",
            constants={"terms": _TERMS, "axis": _AXIS},
            start=start,
            **start,
            t=t,
            t_max=max(float(f"{2 / rate:.2g}"), t) if rate > 0 else max(2.0, t),
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _accepted(self, name: str, value: Any) -> Any:
        if name == "t":
            return as_number("t", value)
        matrix = as_real("S" if name == "point" else "E", value, shape=np.shape(self.start["point"]))
        return (as_positive_definite("S", matrix)[0] if name == "point" else matrix).tolist()

    @quiet
    def _compute(self, changed: set[str]) -> dict[str, Any]:
        S, E = (np.asarray(value, dtype=float) for value in (self.point, self.perturbation))
        try:
            inverse, truth = np.linalg.inv(S), np.linalg.inv(S + self.t * E)
        except np.linalg.LinAlgError:
            raise np.linalg.LinAlgError(
                f"S + t E must have an inverse, but at t = {self.t} it has none"
            ) from None
        M = self.t * E @ inverse
        errors, total, term = [], np.zeros_like(S), inverse
        for _ in range(_TERMS + 1):
            errors.append(float(np.linalg.norm(total - truth) / np.linalg.norm(truth)))
            total, term = total + term, -term @ M
        rms = float(np.sqrt(np.mean(M**2)))
        if not (np.isfinite(errors).all() and np.isfinite(rms)):
            raise ValueError(f"t E must be so small that its powers are floats, but t is {self.t}")
        return {"result": {"value": truth.tolist(), "errors": errors, "radius": _radius(M), "rms": rms}}

    def _functions(self) -> str | None:
        if len(self.point) > LARGEST_IN_PAGE:
            return None
        from mvnlib.symbolic import javascript

        return javascript("inv", len(self.point))

    def _figure(self) -> str:
        return _still({name: getattr(self, name) for name in ("label", "t", "result")})

    def _subject_in_words(self) -> str:
        return f"the Neumann series for the inverse of S + t E at t = {self.t:.4g}"

    def _result_in_words(self) -> str:
        return _verdict(self.result["radius"])


@quiet
def explore_neumann(S: Any, E: Any, *, t: float = 1.0) -> NeumannExplorer:
    r"""Show the partial sums of the Neumann series against the inverse of S + t E.

    .. math:: (S + tE)^{-1} = S^{-1} \sum_{n=0}^\infty (-tE S^{-1})^n

    The series converges exactly if the spectral radius of t E S^-1 is below 1. The root mean square of its
    entries is shown beside it: below 1 it promises nothing.

    Parameters
    ----------
    S : (d, d) array
        Symmetric positive definite.
    E : (d, d) array
        The direction of the perturbation.
    t : float
        Its size at the start.

    Returns
    -------
    NeumannExplorer
        A Jupyter widget, whose traits may be read, assigned and observed. Outside of Jupyter its ``save`` writes
        a page for the browser.

    Raises
    ------
    ValueError, TypeError, numpy.linalg.LinAlgError
        For bad input.

    Notes
    -----
    Cost: :math:`O(d^3)` for each change.

    Examples
    --------
    >>> widget = explore_neumann(np.eye(2), np.eye(2), t=0.5)
    >>> widget.result["radius"], np.round(widget.result["errors"][:4], 6).tolist()
    (0.5, [1.0, 0.5, 0.25, 0.125])
    """
    S, _ = as_positive_definite("S", S)
    E = as_real("E", E, shape=S.shape)
    return NeumannExplorer(S, E, as_number("t", t))


def _radius(M: Array) -> float:
    return float(np.abs(np.linalg.eigvals(M)).max()) if np.isfinite(M).all() else np.inf


def _verdict(radius: float) -> str:
    does = "converges" if radius < 1 else "does not converge"
    return f"spectral radius {radius:.4g}: the series {does}"


def _still(state: Mapping[str, Any]) -> str:
    """The error against the number of terms."""
    result = state["result"]
    errors, radius = [log10(e) for e in result["errors"]], result["radius"]
    verdict = _verdict(radius)
    frame = Frame((0, _TERMS), _AXIS)
    bound = [(k, k * log10(radius)) for k in range(len(errors))]
    body = frame.axes("number of terms", "relative error", 4, 4, str)
    body += frame.line(bound, "mvn-curve mvn-forward") + frame.line(
        list(enumerate(errors)), "mvn-curve mvn-central"
    )
    body += "".join(
        f'<circle class="mvn-dot" r="3" cx="{frame.x(k):.1f}" cy="{frame.y(e):.1f}"/>'
        for k, e in enumerate(errors)
    )
    alt = (
        f"Relative error of the partial sums of the Neumann series against the number of terms, logarithmic; "
        f"{verdict}; after {_TERMS} terms the error is {result['errors'][-1]:.1e}."
    )
    words = f"t = {state['t']:.4g}, {verdict}; root mean square of the entries {result['rms']:.4g}. "
    words += "Dashed: the radius to the number of terms."
    return f'<figure class="mvn-static">{frame.svg(body, alt)}<figcaption>{words}</figcaption></figure>'
