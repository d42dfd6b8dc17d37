"""A derivative two ways: a formula and a finite difference side by side, at a point that moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import traitlets

from mvnlib._validation import as_positive, one_of
from mvnlib.differences import SCHEMES, default_step
from mvnlib.identities import Identity
from mvnlib.spaces import Space
from mvnlib.widgets.figure import Frame, letter, log10, number, power, table
from mvnlib.widgets.front import module
from mvnlib.widgets.live import LARGEST_IN_PAGE, Given, Live
from mvnlib.widgets.subject import STEPS, Comparison, Subject, index_of, plain, relative_error, subject_of

#: How the schemes are called: beside their buttons, and in a sentence.
_SCHEMES = {
    "forward": ("forward", "forward"),
    "central": ("central", "central"),
    "richardson": ("Richardson", "Richardson"),
    "complex": ("complex step", "complex-step"),
}
#: The schemes whose error is drawn against the step.
_CURVES = ("forward", "central", "complex")
#: The powers of ten of the step and of the error between which they are drawn.
_AXES = ((-20, 0), (-17, 1))


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

    _esm = module("derivative")

    title = traitlets.Unicode().tag(sync=True)
    point = Given().tag(sync=True)
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
    _page_state = (*Live._page_state, "title", "wrt", "spaces", "conventions", "candidate", *_inputs)

    def __init__(self, subject: Subject, **values: Any) -> None:
        self._subject = subject
        super().__init__(
            kind="derivative",
            name=subject.key,
            label=f"Explorer: derivative of {subject.title} in {letter(subject.wrt)}, two ways",
            constants={"steps": STEPS, "schemes": _SCHEMES, "curves": _CURVES, "axes": _AXES},
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

    def _accepted(self, name: str, value: Any) -> Any:
        subject, start = self._subject, self.start
        if name == "point":
            return subject.point(subject.wrt, value, start["point"]).tolist()
        if name == "params":
            held = start["params"]
            if not isinstance(value, Mapping) or set(value) != set(held):
                raise ValueError(f"params must be a mapping with the names {', '.join(held) or '(none)'}")
            return {name: subject.point(name, value[name], held[name]).tolist() for name in held}
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
        variables = {name: np.asarray(value, dtype=float) for name, value in self.params.items()}
        variables[self.wrt] = point
        compared = Comparison(self._subject, variables, self.convention, tuple(self.direction))
        difference, formula = compared.difference(self.scheme, step), compared.formula
        outcome["result"] = {
            "value": plain(compared.value),
            "formula": None if formula is None else plain(formula),
            "difference": plain(difference),
            "error": None if formula is None else plain(relative_error(formula, difference)),
            "step": step,
        }
        if changed & {"point", "params", "convention", "direction"}:
            outcome["curve"] = compared.curve()
        return outcome

    def _functions(self) -> str | None:
        entry = self._subject.entry
        if entry is None or self._subject.d > LARGEST_IN_PAGE:
            return None
        from mvnlib.symbolic import javascript

        return javascript(entry, self._subject.d)

    def _figure(self) -> str:
        return _still({name: getattr(self, name) for name in (*self._page_state, "result", "curve")})

    def _subject_in_words(self) -> str:
        return f"{self.title} at {letter(self.wrt)} = {_written(self.point)}, {self.convention} convention"

    def _result_in_words(self) -> str:
        error, (scheme, _) = self.result["error"], _SCHEMES[self.scheme]
        if self._subject.formula is None:
            return f"the {scheme} difference, with no formula to compare"
        if error is None:
            return f"the {scheme} difference is not finite"
        return f"the relative error of the {scheme} difference against the formula is {error:.1e}"


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
        A key of :data:`mvnlib.identities.TABLE` whose entry has a derivative, such an entry, or any function of
        a vector or a square matrix. An unknown key is answered by the list of those that can be explored.
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
        A Jupyter widget, whose traits may be read, assigned and observed. Outside of Jupyter its ``save`` writes
        a page for the browser.

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
    subject, variables = subject_of(f, candidate, at, space, params)
    point = variables.pop(subject.wrt)
    one_of("scheme", scheme, SCHEMES)
    one_of("convention", convention, subject.conventions)
    default = (0, *[1 if side > 1 else 0 for side in point.shape[1:]])[: point.ndim]
    return Explorer(
        subject,
        point=point.tolist(),
        params={name: value.tolist() for name, value in variables.items()},
        conventions=list(subject.conventions),
        convention=convention,
        scheme=scheme,
        step=float(default_step(point, scheme)) if step is None else as_positive("step", step),
        auto=step is None,
        direction=index_of(default if direction is None else direction, point.shape),
    )


def _still(state: Mapping[str, Any]) -> str:
    """The tables, and the curve of error against step."""
    result, scheme = state["result"], _SCHEMES[state["scheme"]][0]
    scalar = not isinstance(result["value"], list)
    name = letter(state["wrt"])
    moves = "" if scalar else f" ∂/∂{name}{_place(state['direction'])}"
    claimed = "Your table" if state["candidate"] else "Formula"
    tables = [] if scalar else [table(state["title"], result["value"])]
    if result["formula"] is not None:
        tables.append(table(f"{claimed}{moves}", result["formula"]))
    tables.append(table(f"{scheme[0].upper()}{scheme[1:]} difference{moves}", result["difference"]))
    value = f" = {number(result['value'])}" if scalar else ""
    where = f"at {name} = {_written(state['point'])}"
    words = f"{state['title']}{value} {where}, {state['convention']} convention, step {result['step']:.1e}"
    if result["error"] is not None:
        words += f"; relative error {result['error']:.1e}"
    return (
        f'<figure class="mvn-static"><div class="{"mvn-evidence" if scalar else "mvn-stack"}">'
        f'<div class="mvn-tables">{"".join(tables)}</div>{_error_curve(state)}</div>'
        f"<figcaption>{escape(words)}.</figcaption></figure>"
    )


def _error_curve(state: Mapping[str, Any]) -> str:
    curve, result = state["curve"], state["result"]
    frame = Frame(*_AXES)
    body = frame.axes("step h", "relative error", 4, 3, power)
    steps = [math.log10(h) for h in curve["steps"]]
    best: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for scheme in _CURVES:
        errors = [math.nan if e is None else log10(e) for e in curve[scheme]]
        known = [k for k, e in enumerate(errors) if not math.isnan(e)]
        if not known:
            continue
        name = _SCHEMES[scheme][0]
        low = min(known, key=lambda k: errors[k])
        best.append(f"{name} {10 ** errors[low]:.0e} at step {curve['steps'][low]:.0e}")
        body += frame.line(list(zip(steps, errors, strict=True)), f"mvn-curve mvn-{scheme}")
        if scheme == "complex":  # flat for small steps: its name stands above the left end
            x, y = frame.x(_AXES[0][0] + 0.4), frame.y(max(errors[k] for k in known[:12])) - 8
            body += _name_of_curve(frame, scheme, x, y, "start", taken)
        else:  # below the lowest point, to the left of it
            x, y = frame.x(steps[low]) - 5, frame.y(errors[low]) + 13
            body += _name_of_curve(frame, scheme, x, y, "end", taken)
    if result["error"] is not None:
        x, y = frame.x(math.log10(result["step"])), frame.y(log10(result["error"]))
        body += f'<circle class="mvn-marker" r="5" cx="{x:.1f}" cy="{y:.1f}"/>'
    alt = f"Relative error of the differences of {state['title']} against the step, logarithmic; smallest: "
    alt += f"{', '.join(best)}."
    return frame.svg(body, alt)


def _name_of_curve(
    frame: Frame, scheme: str, x: float, y: float, anchor: str, taken: list[tuple[float, float, float]]
) -> str:
    """The name of a curve at a place, or above it where another name has ``taken`` it."""
    name = _SCHEMES[scheme][0]
    y, width = min(y, frame.y(_AXES[1][0]) - 4), 8 * len(name)
    left = x if anchor == "start" else x - width
    while any(a < left + width and left < b and abs(other - y) < 13 for a, b, other in taken):
        y -= 13
    taken.append((left, left + width, y))
    return f'<text class="mvn-halo mvn-name-{scheme}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{name}</text>'


def _written(point: Any) -> str:
    """A point in a line of text."""
    if not isinstance(point, list):
        return f"{point:.4g}"
    if isinstance(point[0], list):
        return "[" + ", ".join(map(_written, point)) + "]"
    return "[" + ", ".join(f"{v:.4g}" for v in point) + "]"


def _place(direction: Sequence[int]) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[i + 1] for i in direction)
