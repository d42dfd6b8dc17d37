"""EM for a mixture of normals in the plane, a step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import traitlets

from mvnlib._validation import Array, as_positive_definite, as_real
from mvnlib.mixture import em_step, mixture_loglik, responsibilities
from mvnlib.widgets.figure import SHAPES, around_points, minus, names_of
from mvnlib.widgets.front import module
from mvnlib.widgets.live import Given, Live

#: Points, components and iterations that can be shown.
_MOST_POINTS, _MOST_COMPONENTS, _MOST_STEPS = 2000, len(SHAPES), 1000


class MixtureExplorer(Live):
    """EM for a mixture of normals, a step at a time; made by :func:`mvnlib.explore_em`.

    Attributes
    ----------
    weights, means, covariances
        The parameters, as nested lists. Setting one of them starts a new run from there.
    iteration
        Number of EM steps since the start of the run. Setting it takes the steps, or goes back to where it was.
    history
        The log-likelihood at every iteration of the run so far.
    origin
        The parameters at the start of the run.
    result
        ``value``, the log-likelihood; ``responsibilities``, one row for each point.
    problem
        Why the last change was refused, or empty.
    """

    _esm = module("em")

    X = traitlets.Any().tag(sync=True)
    axes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    weights = Given().tag(sync=True)
    means = Given().tag(sync=True)
    covariances = Given().tag(sync=True)
    iteration = traitlets.Int().tag(sync=True)
    history = traitlets.Any().tag(sync=True)
    origin = traitlets.Dict().tag(sync=True)

    _parameters = ("weights", "means", "covariances")
    _inputs = (*_parameters, "iteration")
    _page_state = (*Live._page_state, "X", "axes", *_parameters)

    def __init__(self, X: Array, axes: Sequence[str], **parameters: Any) -> None:
        self._data = X.copy()
        super().__init__(
            kind="em",
            name="em",
            label="Explorer: EM for a mixture of normal distributions, step by step",
            constants={"most_steps": _MOST_STEPS, "parameters": self._parameters},
            X=X.tolist(),
            axes=list(axes),
            start=parameters,
            **parameters,
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _accepted(self, name: str, value: Any) -> Any:
        if name == "iteration":
            if not 0 <= value <= _MOST_STEPS:
                raise ValueError(f"iteration must lie between 0 and {_MOST_STEPS}, but it is {value}")
            return value
        array = as_real(name, value, shape=np.shape(self.start[name]))
        if name == "weights" and ((array < 0).any() or not array.any()):
            raise ValueError("weights must not be negative, nor all zero")
        if name == "covariances":
            for k, covariance in enumerate(array):
                as_positive_definite(f"covariances[{k}]", covariance)
        return array.tolist()

    def _compute(self, changed: set[str]) -> dict[str, Any]:
        X, settled = self._data, self._settled
        if changed == {"iteration"}:
            goes_on = self.iteration >= settled["iteration"]
            origin = self.origin
            begin = {name: settled[name] for name in self._parameters} if goes_on else origin
            history = list(settled["history"] if goes_on else settled["history"][:1])
            steps = self.iteration - (settled["iteration"] if goes_on else 0)
        else:
            begin = origin = {name: getattr(self, name) for name in self._parameters}
            history, steps = [mixture_loglik(X, *begin.values())], 0
        here: Any = tuple(map(np.asarray, begin.values()))
        for _ in range(steps):
            here = em_step(X, *here)[:3]
            try:
                history.append(mixture_loglik(X, *here))
            except np.linalg.LinAlgError:
                raise ValueError(
                    f"after {len(history)} steps a component has collapsed: its covariance is singular, and "
                    "the likelihood has no bound"
                ) from None
        now = {name: part.tolist() for name, part in zip(self._parameters, here, strict=True)}
        return {
            **now,
            "iteration": len(history) - 1,
            "history": history,
            "origin": origin,
            "result": {"value": history[-1], "responsibilities": responsibilities(X, *here).tolist()},
        }

    def _functions(self) -> str:
        from mvnlib.symbolic import javascript

        return javascript("normal_logpdf_x", 2)

    def _figure(self) -> str:
        return _still({name: getattr(self, name) for name in (*self._page_state, "iteration", "result")})

    def _subject_in_words(self) -> str:
        return f"EM for {len(self.weights)} components and {len(self.X)} points, after {self.iteration} steps"

    def _result_in_words(self) -> str:
        return f"the log-likelihood is {self.result['value']:.6g}"


def explore_em(
    X: Any, weights: Any, means: Any, covariances: Any, *, axes: Sequence[str] = ("x₁", "x₂")
) -> MixtureExplorer:
    """Show EM at work on data in the plane: the points, the ellipses, and the log-likelihood that rises.

    A point has the shape of the component that most probably made it, and is the paler the less sure that is.

    Parameters
    ----------
    X : (n, 2) array
        At most 2000 rows.
    weights : (K,) array
        Of at most four components.
    means : (K, 2) array
    covariances : (K, 2, 2) array
        With the other two, the parameters to start from.
    axes : two strings
        What the columns of X are, with units.

    Returns
    -------
    MixtureExplorer
        A Jupyter widget, whose traits may be read, assigned and observed. Outside of Jupyter its ``save`` writes
        a page for the browser.

    Raises
    ------
    ValueError, TypeError, numpy.linalg.LinAlgError
        For bad input.

    Notes
    -----
    Cost: O(n K) for each step.

    Examples
    --------
    >>> X = [[0, 0], [1, 0], [0, 1], [5, 5], [6, 5], [5, 6]]
    >>> widget = explore_em(X, [0.5, 0.5], [[0, 0], [6, 6]], [np.eye(2), np.eye(2)])
    >>> widget.iteration = 3
    >>> np.round(widget.means, 2).tolist(), widget.history[0] < widget.history[1]
    ([[0.33, 0.33], [5.33, 5.33]], True)
    """
    X = as_real("X", X, shape=(None, 2))
    weights = as_real("weights", weights, ndim=1)
    if X.shape[0] > _MOST_POINTS or weights.size > _MOST_COMPONENTS:
        raise ValueError(
            f"X has {X.shape[0]} rows and weights {weights.size} components, but at most {_MOST_POINTS} rows and "
            f"{_MOST_COMPONENTS} components can be told apart; show a sample of the rows"
        )
    means = as_real("means", means, shape=(weights.size, 2))
    covariances = as_real("covariances", covariances, shape=(weights.size, 2, 2))
    mixture_loglik(X, weights, means, covariances)
    return MixtureExplorer(
        X, names_of(axes, 2), weights=weights.tolist(), means=means.tolist(), covariances=covariances.tolist()
    )


def _still(state: Mapping[str, Any]) -> str:
    """The points, and the ellipses of the components."""
    axes, weights, means, value = state["axes"], state["weights"], state["means"], state["result"]["value"]
    rows = state["result"]["responsibilities"]
    spread = 1 - 1 / len(weights) or 1.0
    spots = ""
    frame = around_points(state["X"])
    for point, row in zip(state["X"], rows, strict=True):
        most = row.index(max(row))
        sure = (row[most] - 1 / len(row)) / spread if len(row) > 1 else 1
        spots += frame.spot(point, f"mvn-spot mvn-c{most + 1}", SHAPES[most], 0.8 * sure)
    rings = ""
    for k, (mean, covariance) in enumerate(zip(means, state["covariances"], strict=True), 1):
        rings += frame.rings(mean, covariance, f"mvn-ring mvn-c{k}")
        rings += f'<text class="mvn-halo" x="{frame.x(mean[0]):.1f}" y="{frame.y(mean[1]) + 5:.1f}" '
        rings += f'text-anchor="middle">{k}</text>'
    counts = [sum(1 for row in rows if row.index(max(row)) == k) for k in range(len(weights))]
    alt = f"Scatter plot of {axes[1]} against {axes[0]}, {len(rows)} points, with an ellipse for each component. "
    parts = [
        f"Component {k + 1}: weight {weights[k]:.3g}, mean ({means[k][0]:.3g}, {means[k][1]:.3g}), "
        f"the most probable for {counts[k]} points"
        for k in range(len(weights))
    ]
    alt += "; ".join(parts) + "."
    words = f"Iteration {state['iteration']}: log-likelihood {minus(f'{value:.3f}')}. {'; '.join(parts)}."
    drawing = frame.axes_at(axes[0], axes[1]) + spots + frame.clipped(rings)
    return (
        f'<figure class="mvn-static">{frame.svg(drawing, alt)}'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )
