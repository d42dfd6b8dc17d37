"""Executing a derivation: every displayed line against the one before, at random points of its space."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np

from mvnlib._scaling import EPS
from mvnlib._validation import Array, as_dimension, as_given, as_positive, one_of, quiet_around_functions
from mvnlib.differences.noise import measured_noise
from mvnlib.spaces import SPACES, Space

Line = Callable[..., Any] | tuple[str, Callable[..., Any]]


class StepError(AssertionError, ValueError):
    """A line of a derivation that does not follow from the one before; raised by :func:`check_steps`."""


@dataclass(frozen=True)
class Steps:
    """What `check_steps` found: one row for each line, with its label and how far it is from the line before.

    Attributes
    ----------
    rows : tuple of (str, float)
        Label and largest relative difference over all points; 0 for the first line, which nothing precedes.
    points : int
        Number of random points.
    """

    rows: tuple[tuple[str, float], ...]
    points: int

    def __repr__(self) -> str:
        width = max(len("line"), *(len(label) for label, _ in self.rows))
        lines = [f"{'line':<{width}}  largest difference from the line before"]
        lines += [f"{label:<{width}}  {shown}" for label, shown in self._shown()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = "".join(
            f'<tr><th scope="row">{escape(label)}</th><td>{shown}</td></tr>' for label, shown in self._shown()
        )
        return (
            f"<table><caption>Each line against the one before, at {self.points} random points</caption>"
            '<thead><tr><th scope="col">line</th><th scope="col">largest relative difference</th></tr>'
            f"</thead><tbody>{body}</tbody></table>"
        )

    def _shown(self) -> list[tuple[str, str]]:
        (first, _), *rest = self.rows
        return [(first, "starts")] + [(label, f"{difference:.1e}") for label, difference in rest]


@quiet_around_functions
def check_steps(
    *lines: Line,
    where: Mapping[str, Space | str] | Space | str,
    rng: np.random.Generator | None = None,
    d: int | Iterable[int] = (2, 3),
    points: int = 5,
    rtol: float = 1e-9,
    noise: float | None = None,
) -> Steps:
    r"""Execute the lines of a derivation: each must equal the one before at random points of its space.

    The difference of two lines a, b is :math:`\max |a - b| / \max(|a|, |b|)`, the scale never being less than
    what rounding can do: both lines are run again with every variable scaled by about 1 + 1e-14, and 100 times
    the largest move counts as rounding. So :math:`0 = dS\, S^{-1} + S\, dS^{-1}` follows although the right
    side is 1e-16, not 0. Where two lines differ by more, the noise of both is measured along a line (see
    `mvnlib.fd_gradient`), and what it explains is no difference: a line that computes in single precision may follow
    from one that does not. It explains a thousandth at most.

    Parameters
    ----------
    *lines : callable, or (label, callable)
        Two or more functions, each with a number or an array as value. A line takes those variables of
        `where` that its parameters name; if it names none of them, it takes the first ones in the order of
        `where`.
    where : dict of name -> space, or one space
        Where each variable lives: a `mvnlib.spaces.Space` or its name.
    rng : numpy.random.Generator, optional
        By default ``numpy.random.default_rng(0)``, so that a derivation is checked alike every time.
    d : int or ints
        Dimensions to draw in.
    points : int
        Points in each dimension.
    rtol : float
        Largest relative difference allowed.
    noise : float, optional
        How far values of the lines are off, one standard deviation; by default measured.

    Returns
    -------
    Steps
        A table of (line, largest difference), shown as such in a notebook.

    Raises
    ------
    StepError
        At the first line that does not follow: it differs in value or shape, is empty or not finite, fails to
        evaluate, or does not give the same again at the same point. The message shows the point and both
        values. It is an AssertionError and a ValueError.
    ValueError, TypeError
        If there are fewer than two lines, or a line or space is none.

    Notes
    -----
    Cost: five values of each line at each point.

    Examples
    --------
    >>> inv, tr = np.linalg.inv, np.trace
    >>> steps = check_steps(
    ...     ("directly", lambda S, E: fd_differential(np.linalg.det, S, E, "complex")),
    ...     ("Jacobi", lambda S, E: np.linalg.det(S) * tr(inv(S) @ E)),
    ...     where={"S": "invertible", "E": "general"},
    ... )
    >>> [label for label, difference in steps.rows if difference < 1e-12]
    ['directly', 'Jacobi']
    >>> check_steps(lambda S, E: S @ E, lambda S, E: E @ S, where={"S": "symmetric", "E": "symmetric"})
    Traceback (most recent call last):
    mvnlib.checking.steps.StepError: line 2 does not follow from line 1: they differ by ... of their size at
    ...
    """
    if len(lines) < 2:
        raise ValueError(
            f"check_steps compares each line with the one before: it needs two or more, not {len(lines)}"
        )
    rtol = as_positive("rtol", rtol)
    noise = None if noise is None else as_positive("noise", noise)
    points = as_dimension("points", points)
    sizes = [as_dimension("d", size) for size in (d if isinstance(d, Iterable) else (d,))]
    spaces = _spaces(where)
    rng = np.random.default_rng(0) if rng is None else rng
    bound = [_bind(line, k, tuple(spaces), isinstance(where, Mapping)) for k, line in enumerate(lines, 1)]
    drawn = [
        {name: space.draw(rng, size) for name, space in spaces.items()}
        for size in sizes
        for _ in range(points)
    ]
    if not drawn:
        raise ValueError("d is empty; give one dimension or more")
    # Variables scaled apart, a little: how far a line moves then is how far its rounding can take it.
    nudges = [{name: 1 + 2.0**-46 * rng.uniform(-1, 1) for name in spaces} for _ in range(3)]

    rows = [(bound[0].label, 0.0)]
    before = [bound[0].value_and_noise(point, nudges) for point in drawn]
    for above, line in pairwise(bound):
        here = [line.value_and_noise(point, nudges) for point in drawn]
        for (a, _), (b, _) in zip(before, here, strict=True):
            if a.shape != b.shape:
                raise StepError(
                    f"{line.label} does not follow from {above.label}: its shape is {b.shape}, "
                    f"that of the line before {a.shape}"
                )
        differences = [_difference(a, b, rtol) for a, b in zip(before, here, strict=True)]
        for j in np.flatnonzero(np.array(differences) > rtol):
            # Sides that differ may be noisy: then their difference is compared with what noise explains.
            blur = max(line.noise(drawn[j]), above.noise(drawn[j])) if noise is None else noise
            differences[j] = _difference(before[j], here[j], rtol, blur)
        k = int(np.argmax(differences))
        if differences[k] > rtol:
            shown = {**drawn[k], above.label: before[k][0], line.label: here[k][0]}
            raise StepError(
                f"{line.label} does not follow from {above.label}: "
                f"they differ by {differences[k]:.2g} of their size at\n{_report(shown)}"
            )
        rows.append((line.label, differences[k]))
        before = here
    return Steps(tuple(rows), len(drawn))


@dataclass(frozen=True)
class _Bound:
    """A line, and which variables it takes how."""

    label: str
    function: Callable[..., Any]
    names: tuple[str, ...]
    by_name: bool

    def value_and_noise(
        self, point: Mapping[str, Array], nudges: list[dict[str, float]]
    ) -> tuple[Array, float]:
        at, again = (self._value({name: np.copy(point[name]) for name in self.names}) for _ in range(2))
        nudged = [self._value({name: point[name] * nudge[name] for name in self.names}) for nudge in nudges]
        if any(value.shape != at.shape for value in (again, *nudged)):
            raise StepError(f"{self.label} changes its shape from one evaluation to the next")
        move = max(float(np.abs(value - at).max()) for value in nudged)
        # What moves by itself as it does when its variables move, as random numbers do, would follow from anything.
        # (Threads that share a sum may round it one way and then another.)
        if not np.abs(again - at).max() <= max(move / 10, 1e-12 * np.abs(at).max()):
            shown = {**point, "first": at, "then": again}
            raise StepError(f"{self.label} changes from one evaluation to the next:\n{_report(shown)}")
        return at, 100 * move

    def noise(self, point: Mapping[str, Array]) -> float:
        """The largest noise of an entry, along a line on which every variable is scaled at its own rate."""
        rates = np.random.default_rng(2).uniform(0.5, 1, len(self.names))

        def along(t: Array) -> Array:
            scaled = ({n: point[n] * (1 + s * r) for n, r in zip(self.names, rates, strict=True)} for s in t)
            return np.array([self._value(arguments) for arguments in scaled])

        return float(measured_noise(along, True, 16 * EPS).max())

    def _value(self, arguments: dict[str, Array]) -> Array:
        try:
            found = self.function(**arguments) if self.by_name else self.function(*arguments.values())
            value = as_given(found)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise StepError(f"{self.label} could not be evaluated: {reason}") from error
        if value.dtype.kind not in "biuf":
            raise StepError(f"{self.label} must be a number or an array of real numbers, not {found!r}")
        if not value.size:
            raise StepError(f"{self.label} must have a value, but it is empty: its shape is {value.shape}")
        if not np.isfinite(value).all():
            raise StepError(f"{self.label} is not finite: {value}\nat\n{_report(arguments)}")
        return value.astype(float)


def _difference(a: tuple[Array, float], b: tuple[Array, float], rtol: float, noise: float = 0.0) -> float:
    gap = float(np.abs(a[0] - b[0]).max(initial=0.0))
    size = max(float(np.abs(side).max(initial=0.0)) for side, _ in (a, b))
    explained = min(10 * noise, 1e-3 * size)
    return gap / max(size, (a[1] + b[1] + explained) / rtol) if gap else 0.0


def _spaces(where: Mapping[str, Space | str] | Space | str) -> dict[str, Space]:
    if not isinstance(where, Mapping):
        where = {"x": where}
    if not where:
        raise ValueError("where is empty; name each variable and its space")
    found = {}
    for name, space in where.items():
        found[name] = (
            SPACES[one_of(f"where[{name!r}]", space, tuple(SPACES))] if isinstance(space, str) else space
        )
        if not hasattr(found[name], "draw"):
            raise TypeError(f"where[{name!r}] must be a space or the name of one, not {space!r}")
    return found


def _bind(line: Line, number: int, names: tuple[str, ...], by_name: bool) -> _Bound:
    """Find out which of the variables a line takes, and whether by name."""
    if isinstance(line, tuple) and len(line) == 2:
        label, function = str(line[0]), line[1]
    else:
        function = line
        label = getattr(line, "__name__", "<lambda>").replace("<lambda>", f"line {number}")
    if not callable(function):
        raise TypeError(f"line {number} must be a function, or a pair (label, function), not {line!r}")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions tell nothing
        return _Bound(label, function, names, False)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return _Bound(label, function, names, False)
    parameters = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    named = tuple(p.name for p in parameters if p.name in names and p.kind is not p.POSITIONAL_ONLY)
    required = [p.name for p in parameters if p.default is p.empty]
    strangers = [name for name in required if name not in named]
    if by_name and named:
        if strangers:
            raise ValueError(f"{label} takes {', '.join(strangers)}, which is not among {', '.join(names)}")
        return _Bound(label, function, named, True)
    if len(required) > len(names):
        raise ValueError(f"{label} takes {', '.join(required)}, but where has only {', '.join(names)}")
    return _Bound(label, function, names[: len(required)], False)


def _report(values: Mapping[str, Array]) -> str:
    return "\n".join(f"{name} =\n{np.array2string(np.asarray(v), precision=6)}" for name, v in values.items())
