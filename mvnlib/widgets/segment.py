"""The negative log-likelihood along a segment of parameters, and its chord."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import traitlets

from mvnlib._validation import Array, as_number, as_positive_definite, as_real, one_of
from mvnlib.normal import fit_normal, loglik
from mvnlib.widgets.figure import Frame, names_of, padded
from mvnlib.widgets.front import module
from mvnlib.widgets.live import LARGEST_IN_PAGE, Live

#: The parameters along which a segment can be drawn.
SEGMENTS = ("mu, Sigma", "mu, P", "P mu, P")
#: How they are written, and what they are.
_IN_WORDS = {
    "mu, Sigma": ("μ, Σ", "mean and covariance"),
    "mu, P": ("μ, P", "mean and precision P = Σ⁻¹"),
    "P mu, P": ("Pμ, P", "the natural parameters"),
}

#: What J rises above its chord by rounding alone, relative to its largest value.
_FLAT = 1e-9
#: The number of places at which J is computed to be drawn.
_CURVE = 101


class SegmentExplorer(Live):
    """The negative log-likelihood along a segment of parameters, and its chord; made by :func:`mvnlib.explore_segment`.

    Attributes
    ----------
    presets
        Points to choose the ends from: ``mu`` and ``Sigma`` by name.
    ends
        The names of the two ends.
    parameters
        What moves on a straight line: ``"mu, Sigma"``, ``"mu, P"`` or ``"P mu, P"``, P being the precision.
    t
        Where on the segment, from 0 to 1.
    result
        ``value``, J at t; ``chord``, the height of the chord there; ``mu`` and ``Sigma`` there; ``excess``, the
        most that J rises above its chord, and ``where`` it does so.
    curve
        ``t`` and J along the segment.
    problem
        Why the last change was refused, or empty.
    """

    _esm = module("segment")

    X = traitlets.Any().tag(sync=True)
    axes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    ends = traitlets.List(traitlets.Unicode()).tag(sync=True)
    parameters = traitlets.Unicode().tag(sync=True)
    t = traitlets.Float().tag(sync=True)
    curve = traitlets.Dict().tag(sync=True)

    _inputs = ("ends", "parameters", "t")
    _page_state = (*Live._page_state, "X", "axes", "presets", *_inputs)

    def __init__(self, X: Array, axes: Sequence[str], **values: Any) -> None:
        self._data = X.copy()
        super().__init__(
            kind="segment",
            name="segment",
            label="Explorer: the negative log-likelihood along a segment of parameters, and its chord",
            constants={"segments": _IN_WORDS, "curve": _CURVE, "flat": _FLAT},
            X=X.tolist(),
            axes=list(axes),
            start={name: values[name] for name in self._inputs},
            **values,
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _accepted(self, name: str, value: Any) -> Any:
        if name == "t":
            if not 0 <= as_number("t", value) <= 1:
                raise ValueError(f"t must lie between 0 and 1, but it is {value}")
            return value
        if name == "parameters":
            return one_of("parameters", value, SEGMENTS)
        if len(value) != 2:
            raise ValueError(f"ends must be two names, but they are {value}")
        return [one_of("ends", end, list(self.presets)) for end in value]

    def _compute(self, changed: set[str]) -> dict[str, Any]:
        outcome: dict[str, Any] = {}
        curve = self.curve
        if changed != {"t"}:
            ts = np.linspace(0, 1, _CURVE)
            curve = {"t": ts.tolist(), "J": [self._J(*self._at(float(t))) for t in ts]}
            outcome["curve"] = curve
        J = np.asarray(curve["J"])
        above = J - (1 - np.asarray(curve["t"])) * J[0] - np.asarray(curve["t"]) * J[-1]
        most = int(np.argmax(above))
        mu, Sigma = self._at(self.t)
        outcome["result"] = {
            "value": self._J(mu, Sigma),
            "chord": float((1 - self.t) * J[0] + self.t * J[-1]),
            "mu": mu.tolist(),
            "Sigma": Sigma.tolist(),
            "excess": float(above[most]),
            "where": curve["t"][most],
        }
        return outcome

    def _at(self, t: float) -> tuple[Array, Array]:
        """The mean and the covariance at t."""
        one, two = (self.presets[end] for end in self.ends)

        def along(first: Array, last: Array) -> Array:
            return (1 - t) * first + t * last

        means = [np.asarray(end["mu"], dtype=float) for end in (one, two)]
        covariances = [np.asarray(end["Sigma"], dtype=float) for end in (one, two)]
        if self.parameters == "mu, Sigma":
            return along(*means), along(*covariances)
        precisions = [np.linalg.inv(covariance) for covariance in covariances]
        Sigma = np.linalg.inv(along(*precisions))
        Sigma = (Sigma + Sigma.T) / 2
        if self.parameters == "mu, P":
            return along(*means), Sigma
        return Sigma @ along(*(P @ mean for P, mean in zip(precisions, means, strict=True))), Sigma

    def _J(self, mu: Array, Sigma: Array) -> float:
        return -loglik(self._data, mu, Sigma)

    def _functions(self) -> str | None:
        d = len(self.X[0])
        if d > LARGEST_IN_PAGE:
            return None
        from mvnlib.symbolic import javascript

        return f"({{density:{javascript('normal_logpdf_x', d)},inverse:{javascript('inv', d)}}})"

    def _figure(self) -> str:
        return _still({name: getattr(self, name) for name in (*self._page_state, "result", "curve")})

    def _subject_in_words(self) -> str:
        return f"the negative log-likelihood J from {' to '.join(self.ends)}"

    def _result_in_words(self) -> str:
        one_point = _is_one_point(self.presets, self.ends)
        return _verdict(self.parameters, one_point, self.curve["J"], self.result)


def explore_segment(
    X: Any,
    presets: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    ends: Sequence[str] | None = None,
    parameters: str = "mu, Sigma",
    t: float = 0.5,
    axes: Sequence[str] | None = None,
) -> SegmentExplorer:
    """Show the negative log-likelihood J along a segment between two points (mu, Sigma), with its chord.

    Where J rises above the chord it is not convex. The segment may be straight in (mu, Sigma), in (mu, P) or in
    (P mu, P), where P is the precision; in the last of these J is convex.

    Parameters
    ----------
    X : (n, d) array
        The data; J is the sum over its rows.
    presets : dict of name -> (mu, Sigma), optional
        Two or more points to choose the ends from. By default some made from the data.
    ends : two names, optional
        The first two of the presets by default.
    parameters : {"mu, Sigma", "mu, P", "P mu, P"}
        What moves on a straight line.
    t : float
        Where on the segment, from 0 to 1.
    axes : d strings, optional
        What the columns of X are, with units.

    Returns
    -------
    SegmentExplorer
        A Jupyter widget, whose traits may be read, assigned and observed. Outside of Jupyter its ``save`` writes
        a page for the browser.

    Raises
    ------
    ValueError, TypeError, numpy.linalg.LinAlgError
        For bad input.

    Notes
    -----
    Cost: :math:`O(n d^2)`, a hundred times where the segment changes.

    Examples
    --------
    How far J rises above its chord, straight in three kinds of parameters:

    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> widget = explore_segment(X, {"near": ([0, 0], np.eye(2)), "far": ([6, 0], 9 * np.eye(2))})
    >>> excess = {}
    >>> for widget.parameters in ("mu, Sigma", "mu, P", "P mu, P"):
    ...     excess[widget.parameters] = round(widget.result["excess"], 1)
    >>> excess
    {'mu, Sigma': 4.3, 'mu, P': 69.1, 'P mu, P': 0.0}
    """
    X = as_real("X", X, ndim=2)
    d = X.shape[1]
    if not (presets is None or isinstance(presets, Mapping)):
        raise TypeError(f"presets must be a mapping of names to pairs (mu, Sigma), not {presets!r}")
    points = {}
    for name, preset in (_around(X) if presets is None else presets).items():
        if not (isinstance(preset, Sequence) and len(preset) == 2):
            raise TypeError(f"presets[{name!r}] must be a pair (mu, Sigma), not {preset!r}")
        mu, Sigma = preset
        mu = as_real(f"mu of {name!r}", mu, shape=(d,))
        Sigma = as_real(f"Sigma of {name!r}", Sigma, shape=(d, d))
        as_positive_definite(f"Sigma of {name!r}", Sigma)
        points[name] = {"mu": mu.tolist(), "Sigma": Sigma.tolist()}
    if len(points) < 2:
        raise ValueError(f"presets must hold two points or more, but there are {len(points)}")
    return SegmentExplorer(
        X,
        names_of([f"x{'₁₂₃₄₅₆₇₈₉'[j : j + 1]}" for j in range(d)] if axes is None else axes, d),
        presets=points,
        ends=list(points)[:2] if ends is None else list(ends),
        parameters=parameters,
        t=t,
    )


def _around(X: Array) -> dict[str, tuple[Array, Array]]:
    """The estimate, and points about it between which J is not convex."""
    mu, Sigma = fit_normal(X)
    far = mu + 3 * np.linalg.cholesky(Sigma)[:, 0]
    return {
        "twice the covariance": (mu, 2 * Sigma),
        "ten times the covariance": (mu, 10 * Sigma),
        "the estimate": (mu, Sigma),
        "a quarter of the covariance": (mu, Sigma / 4),
        "mean moved by three deviations": (far, Sigma),
        "mean moved, ten times the covariance": (far, 10 * Sigma),
    }


def _is_one_point(presets: Mapping[str, Any], ends: Sequence[str]) -> bool:
    first, last = (presets[end] for end in ends)
    return bool(first == last)


def _verdict(parameters: str, one_point: bool, J: Sequence[float], result: Mapping[str, Any]) -> str:
    names, _ = _IN_WORDS[parameters]
    if one_point:
        return "The two ends are one point: there is no segment"
    if result["excess"] > _FLAT * max(map(abs, J)):
        return f"J rises {result['excess']:.4g} above its chord, at t = {result['where']:.4g}: not convex in ({names})"
    return f"J stays below its chord on this segment, straight in ({names})"


def _still(state: Mapping[str, Any]) -> str:
    """J along the segment, and its chord."""
    ts, J, result = state["curve"]["t"], state["curve"]["J"], state["result"]
    one_point = _is_one_point(state["presets"], state["ends"])
    # Between a point and itself J varies by rounding alone.
    frame = Frame((0, 1), padded(J[:1] if one_point else J, 0.08))
    ends = [(0, J[0]), (1, J[-1])]
    body = frame.axes_at("t", "J, negative log-likelihood")
    body += frame.line(ends, "mvn-curve mvn-forward")
    body += frame.line(list(zip(ts, J, strict=True)), "mvn-curve mvn-central")
    x, y = frame.x(state["t"]), frame.y(result["value"])
    body += f'<circle class="mvn-marker" r="5" cx="{x:.1f}" cy="{y:.1f}"/>'
    verdict = _verdict(state["parameters"], one_point, J, result)
    alt = f"The negative log-likelihood J along a segment from {state['ends'][0]} to {state['ends'][1]}, "
    alt += f"and its chord. {verdict}."
    words = f"From {state['ends'][0]} to {state['ends'][1]}. {verdict}. Solid: J. Dashed: its chord."
    return (
        f'<figure class="mvn-static">{frame.svg(body, alt)}<figcaption>{escape(words)}</figcaption></figure>'
    )
