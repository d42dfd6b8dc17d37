"""Explorers: a derivative and its finite difference side by side, in Jupyter and in a built page.

In Jupyter the numbers come from Python, so any function and any candidate gradient can be explored. In the
page the same front end runs on JavaScript that :func:`mvnlib.javascript` prints from the table of
identities; before any script runs, and in print, the page shows a figure drawn from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import traitlets

from mvnlib import _static_figure as static
from mvnlib._explored import At, Subject, index_of, plain, relative_error, subject_of
from mvnlib._live import Given, Live
from mvnlib._validation import Array, as_number, as_positive, as_positive_definite, as_real, one_of, quiet
from mvnlib.differences import SCHEMES, default_step
from mvnlib.identities import Identity
from mvnlib.mixture import em_step, mixture_loglik, responsibilities
from mvnlib.normal import fit_normal, loglik
from mvnlib.spaces import Space

#: Beyond this dimension the generated JavaScript outgrows a page.
_LARGEST_IN_PAGE = 4

#: Points, components and iterations that an explorer of EM can show.
_MOST_POINTS, _MOST_COMPONENTS, _MOST_STEPS = 2000, 4, 1000

#: The parameters along which a segment can be drawn.
SEGMENTS = ("mu, Sigma", "mu, P", "P mu, P")


class Explorer(Live):
    """A function, its formula and its finite difference at a point; made by :func:`mvnlib.explore`.

    Attributes
    ----------
    point
        The variable that moves, as nested lists; an array may be assigned. A value outside of the space, or
        of another shape, is a ValueError and changes nothing.
    params
        The variables that are held, by name.
    convention, scheme
        What moves, and how the difference is taken.
    step, auto
        The step in use. Setting it turns ``auto`` off; setting ``auto`` returns to the default for the point.
    direction
        Indices of the entry that moves, where f is matrix-valued and one entry is shown at a time.
    result
        ``value``; ``formula``, or None where no candidate was given; ``difference``; ``error``, the largest
        entry of difference - formula relative to the formula's largest; ``step``. None stands for a number
        that is not finite.
    curve
        The error against the ``steps``, for ``forward``, ``central`` and ``complex``.
    problem
        Why the last change was refused, or empty.
    """

    title = traitlets.Unicode().tag(sync=True)
    wrt = traitlets.Unicode().tag(sync=True)
    spaces = traitlets.Dict().tag(sync=True)
    conventions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    candidate = traitlets.Bool().tag(sync=True)
    params = Given().tag(sync=True)
    convention = traitlets.Unicode().tag(sync=True)
    scheme = traitlets.Unicode().tag(sync=True)
    step = traitlets.Float().tag(sync=True)
    auto = traitlets.Bool().tag(sync=True)
    direction = traitlets.List(traitlets.Int()).tag(sync=True)
    curve = traitlets.Dict().tag(sync=True)

    _inputs = ("point", "params", "convention", "scheme", "step", "auto", "direction")
    _page_state = (
        *Live._page_state,
        *("title", "wrt", "spaces", "conventions", "candidate", "params", "convention"),
        *("scheme", "step", "auto", "direction"),
    )

    def __init__(self, subject: Subject, **values: Any) -> None:
        self._subject = subject
        super().__init__(
            kind="explore",
            name=subject.key,
            label=f"Explorer: derivative of {subject.title} in {_letter(subject.wrt)}, two ways",
            title=subject.title,
            wrt=subject.wrt,
            candidate=subject.claims,
            spaces={name: space.name for name, space in subject.spaces.items()},
            start={"point": values["point"], "params": values["params"]},
            **values,
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _checked(self, name: str, value: Any) -> Any:
        subject, start = self._subject, self.start
        if name == "point":
            return subject.checked(subject.wrt, value, start["point"]).tolist()
        if name == "params":
            held = start["params"]
            if not isinstance(value, Mapping) or set(value) != set(held):
                raise ValueError(f"params must be a mapping with the names {', '.join(held) or '(none)'}")
            return {name: subject.checked(name, value[name], held[name]).tolist() for name in held}
        if name == "step":
            return as_positive("step", value)
        if name == "convention":
            return one_of("convention", value, self.conventions)
        if name == "scheme":
            return one_of("scheme", value, SCHEMES)
        if name == "direction":
            return index_of(value, np.shape(start["point"]))
        return value

    def _compute(self, changed: set[str]) -> dict[str, Any]:
        outcome: dict[str, Any] = {}
        auto, step = self.auto, self.step
        if changed == {"step"}:
            outcome["auto"] = auto = False
        point = np.asarray(self.point, dtype=float)
        if auto:
            outcome["step"] = step = float(default_step(point, self.scheme))
        params = {name: np.asarray(value, dtype=float) for name, value in self.params.items()}
        at = At(self._subject, point, params, self.convention, tuple(self.direction))
        difference = at.difference(self.scheme, step)
        formula = at.formula
        outcome["result"] = {
            "value": plain(at.value),
            "formula": None if formula is None else plain(formula),
            "difference": plain(difference),
            "error": None if formula is None else plain(relative_error(formula, difference)),
            "step": step,
        }
        if changed & {"point", "params", "convention", "direction"}:
            outcome["curve"] = at.curve()
        return outcome

    def _functions(self) -> str | None:
        entry = self._subject.entry
        if entry is None or self._subject.d > _LARGEST_IN_PAGE:
            return None
        from mvnlib.symbolic import javascript

        return javascript(entry, self._subject.d)

    def _figure(self) -> str:
        return static.explorer({name: getattr(self, name) for name in (*self._page_state, "result", "curve")})


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

    spaces = traitlets.Dict().tag(sync=True)
    wrt = traitlets.Unicode("S").tag(sync=True)
    perturbation = Given().tag(sync=True)
    t = traitlets.Float().tag(sync=True)
    t_max = traitlets.Float().tag(sync=True)

    _inputs = ("point", "perturbation", "t")
    _page_state = (*Live._page_state, "spaces", "wrt", "perturbation", "t", "t_max")

    def __init__(self, S: Array, E: Array, t: float) -> None:
        start = {"point": S.tolist(), "perturbation": E.tolist()}
        rate = _radius(E @ np.linalg.inv(S))
        super().__init__(
            kind="neumann",
            name="neumann",
            label="Explorer: partial sums of the Neumann series for the inverse of S + t E",
            spaces={"S": "positive definite", "E": "general"},
            start=start,
            **start,
            t=t,
            t_max=max(float(f"{2 / rate:.2g}"), t) if rate > 0 else max(2.0, t),
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _checked(self, name: str, value: Any) -> Any:
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
        for _ in range(21):
            errors.append(float(np.linalg.norm(total - truth) / np.linalg.norm(truth)))
            total, term = total + term, -term @ M
        rms = float(np.sqrt(np.mean(M**2)))
        if not (np.isfinite(errors).all() and np.isfinite(rms)):
            raise ValueError(f"t E must be so small that its powers are floats, but t is {self.t}")
        return {"result": {"value": truth.tolist(), "errors": errors, "radius": _radius(M), "rms": rms}}

    def _functions(self) -> str | None:
        if len(self.point) > _LARGEST_IN_PAGE:
            return None
        from mvnlib.symbolic import javascript

        return javascript("inv", len(self.point))

    def _figure(self) -> str:
        return static.neumann({name: getattr(self, name) for name in ("label", "t", "result")})


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
    _page_state = ("kind", "name", "label", "start", "problem", "X", "axes", *_parameters)

    def __init__(self, X: Array, axes: Sequence[str], **parameters: Any) -> None:
        self._data = X.copy()
        super().__init__(
            kind="em",
            name="em",
            label="Explorer: EM for a mixture of normal distributions, step by step",
            X=X.tolist(),
            axes=list(axes),
            start=parameters,
            **parameters,
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _checked(self, name: str, value: Any) -> Any:
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
        return static.mixture(
            {name: getattr(self, name) for name in (*self._page_state, "iteration", "result")}
        )


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

    X = traitlets.Any().tag(sync=True)
    axes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    presets = traitlets.Dict().tag(sync=True)
    ends = traitlets.List(traitlets.Unicode()).tag(sync=True)
    parameters = traitlets.Unicode().tag(sync=True)
    t = traitlets.Float().tag(sync=True)
    curve = traitlets.Dict().tag(sync=True)

    _inputs = ("ends", "parameters", "t")
    _page_state = ("kind", "name", "label", "start", "problem", "X", "axes", "presets", *_inputs)

    def __init__(self, X: Array, axes: Sequence[str], **values: Any) -> None:
        self._data = X.copy()
        super().__init__(
            kind="segment",
            name="segment",
            label="Explorer: the negative log-likelihood along a segment of parameters, and its chord",
            X=X.tolist(),
            axes=list(axes),
            start={name: values[name] for name in self._inputs},
            **values,
        )

    @traitlets.validate(*_inputs)  # type: ignore[untyped-decorator]
    def _valid(self, proposal: Any) -> Any:
        return self._taken(proposal["trait"].name, proposal["value"])

    def _checked(self, name: str, value: Any) -> Any:
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
            ts = np.linspace(0, 1, 101)
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
        if d > _LARGEST_IN_PAGE:
            return None
        from mvnlib.symbolic import javascript

        return f"({{density:{javascript('normal_logpdf_x', d)},inverse:{javascript('inv', d)}}})"

    def _figure(self) -> str:
        return static.segment({name: getattr(self, name) for name in (*self._page_state, "result", "curve")})


def explore(
    f: str | Identity | Callable[[Any], Any],
    candidate: Any = None,
    *,
    at: Any = None,
    space: Space | str | None = None,
    convention: str = "entrywise",
    scheme: str = "central",
    step: float | None = None,
    direction: Sequence[int] | None = None,
    **params: Any,
) -> Explorer:
    """Show a function, a formula for its derivative, and its finite difference, side by side.

    Parameters
    ----------
    f : str, Identity or callable
        A key of :data:`mvnlib.identities.TABLE`, an entry of it, or any function of a vector or a square
        matrix.
    candidate : array or callable, optional
        Your own gradient, as a table shaped like the point (for a matrix-valued f: the table of its partials
        in the entry that moves), or as a function of the point that returns it. It is compared as it stands
        in whatever convention is chosen, so that you see in which of them it is right. By default the entry's
        own formula.
    at : (d,) or (d, d) array, optional
        The point; needed for a callable.
    space : Space or str, optional
        Where the variable lives. By default ``positive_definite`` for S, Sigma or P if the point is that,
        ``symmetric`` if the point is, else the entry's own. Only a symmetric space has more than one convention.
    convention : {"entrywise", "frobenius", "free"}
        See :mod:`mvnlib.conventions`.
    scheme : {"forward", "central", "richardson", "complex"}
    step : float, optional
        By default :func:`mvnlib.default_step`, which then follows the point.
    direction : sequence of int, optional
        The indices of the entry that moves, where f is not a number. By default (0, 1) in a matrix, (0,) in a vector.
    **params
        The other variables of the entry, by name; those not given take an example.

    Returns
    -------
    Explorer
        A Jupyter widget, whose traits may be read, assigned and observed.

    Raises
    ------
    ValueError, TypeError
        For an unknown key, an entry without a derivative, unknown or bad variables, or a bad option.
    numpy.linalg.LinAlgError
        If a variable that must be positive definite is not.

    Notes
    -----
    Cost: about 120 difference tables at each change of the point, for the error curve; one at others.

    Examples
    --------
    A claim of your own, and the entry that shows what is wrong with it:

    >>> S = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> widget = explore(np.linalg.det, [[3, -1], [-1, 2]], at=S, convention="free")
    >>> np.round(widget.result["difference"], 6)
    array([[ 3., -2.],
           [-2.,  2.]])
    >>> widget.convention = "frobenius"
    >>> widget.result["error"] < 1e-6
    True
    """
    subject, point, values = subject_of(f, candidate, at, space, params)
    one_of("scheme", scheme, SCHEMES)
    one_of("convention", convention, subject.conventions)
    default = (0, *[1 if side > 1 else 0 for side in point.shape[1:]])[: point.ndim]
    return Explorer(
        subject,
        point=point.tolist(),
        params={name: value.tolist() for name, value in values.items()},
        conventions=list(subject.conventions),
        convention=convention,
        scheme=scheme,
        step=float(default_step(point, scheme)) if step is None else as_positive("step", step),
        auto=step is None,
        direction=index_of(default if direction is None else direction, point.shape),
    )


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
        A Jupyter widget, whose traits may be read, assigned and observed.

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
        X, _names(axes, 2), weights=weights.tolist(), means=means.tolist(), covariances=covariances.tolist()
    )


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
        A Jupyter widget, whose traits may be read, assigned and observed.

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
        _names([f"x{'₁₂₃₄₅₆₇₈₉'[j : j + 1]}" for j in range(d)] if axes is None else axes, d),
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


def _names(axes: Sequence[str], d: int) -> list[str]:
    if (
        isinstance(axes, str)
        or not isinstance(axes, Sequence)
        or len(axes) != d
        or not all(isinstance(name, str) for name in axes)
    ):
        raise ValueError(f"axes must be {d} names, one for each column of X, but it is {axes!r}")
    return list(axes)


def _radius(M: Array) -> float:
    return float(np.abs(np.linalg.eigvals(M)).max()) if np.isfinite(M).all() else np.inf


def _letter(name: str) -> str:
    return static.LETTERS.get(name, name)
