"""What an explorer shows: a function with its variables, its formula, and both at a point."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvnlib._validation import (
    Array,
    as_positive_definite,
    as_real,
    as_symmetric,
    brief,
    one_of,
    probing,
    quiet,
)
from mvnlib.conventions import CONVENTIONS
from mvnlib.differences import default_step, fd_gradient, step_sweep
from mvnlib.differences.evaluation import checked
from mvnlib.identities import TABLE, Differentiable, Differential, Gradient, Identity
from mvnlib.spaces import OTHER_SIDES, SPACES, Space

#: The steps of the error curve.
STEPS = tuple(10.0 ** (k / 2 - 20) for k in range(41))

#: How the function of an entry is written in a line of text.
TITLES: Mapping[str, str] = {
    "trace_product": "tr(A X)",
    "bilinear": "aᵀM b",
    "quadratic": "aᵀM a",
    "quadratic_x": "xᵀM x",
    "product": "X B X",
    "sandwich": "A B A",
    "gram": "L Lᵀ",
    "logdet_gram": "log |L Lᵀ|",
    "quadratic_gram": "tr((L Lᵀ)⁻¹ T)",
    "det": "|S|",
    "logdet": "log |S|",
    "inv": "S⁻¹",
    "bilinear_inv": "aᵀS⁻¹b",
    "trace_inv": "tr(A S⁻¹ B)",
    "hessian_mu": "∂ log f / ∂μ",
    "hessian_mu_Sigma": "∂ log f / ∂μ",
    "hessian_Sigma": "∂ log f / ∂Σ",
    "heat": "∂f / ∂x",
    "normal_logpdf_P": "log f(x; μ, P⁻¹)",
    "em_objective": "−log |S| + tr(S C)",
    **{f"normal_logpdf_{v}": "log f(x; μ, Σ)" for v in ("x", "mu", "Sigma")},
    **{f"normal_pdf_{v}": "f(x; μ, Σ)" for v in ("x", "mu", "Sigma")},
    **{f"mixture_{v}": "log(π f + c)" for v in ("pi", "mu", "Sigma")},
}


@dataclass(frozen=True)
class Subject:
    """The function behind an explorer, with its variables and, if there is one, its formula.

    ``along(variables)`` is the function of ``wrt`` alone, the others held. ``formula(variables, convention, E)``
    is the table to compare: of the partials, or, where the function is not a number, of its differential in E.
    """

    key: str
    title: str
    wrt: str
    spaces: dict[str, Space]
    along: Callable[[dict[str, Array]], Callable[[Any], Any]]
    formula: Callable[[dict[str, Array], str, Array], Any] | None
    claims: bool
    entry: Differentiable | None = None  # None: the page has no JavaScript for it
    d: int = 0

    @property
    def conventions(self) -> tuple[str, ...]:
        """Those that make sense in the space of the variable that moves."""
        return CONVENTIONS if self.spaces[self.wrt].symmetric else ("entrywise",)

    def point(self, name: str, value: Any, like: Any) -> Array:
        """``value`` as a point of the space of a variable, shaped like the first one."""
        array = as_real(name, value, shape=np.shape(like))
        return _in_space(name, array, self.spaces[name])


class Comparison:
    """A subject at one point, in one convention: its value, its formula and its differences."""

    def __init__(
        self, subject: Subject, variables: dict[str, Array], convention: str, entry: tuple[int, ...]
    ) -> None:
        self.point, self.convention, self.entry = variables[subject.wrt], convention, entry
        self.f = subject.along(variables)
        self.value = np.array(checked(self.f(self.point.copy()), f"this {subject.wrt}"), dtype=float)
        self.formula = None
        if subject.formula is not None:
            table = subject.formula(variables, convention, self.direction(entry))
            self.formula = as_real("the formula", np.array(table, dtype=float))

    def direction(self, entry: tuple[int, ...]) -> Array:
        """What moves with an entry in the convention."""
        E = np.zeros(self.point.shape)
        E[entry] = 1.0
        if self.convention == "free":
            E[entry[::-1]] = 1.0
        elif self.convention == "frobenius":
            E = (E + E.T) / 2
        return E

    def difference(self, scheme: str, step: float) -> Array:
        """Shaped like the formula; NaN where the step has left the domain of f or is lost in rounding."""
        try:
            with probing():
                table = fd_gradient(self.f, self.point, self.convention, scheme, step)
        except ValueError:  # LinAlgError is one
            return np.full(self.value.shape or self.point.shape, np.nan)
        return np.asarray(table[self.entry] if self.value.ndim else table)

    @quiet
    def curve(self) -> dict[str, list[float | None]]:
        """The relative error against the step; the referee is Richardson's where there is no formula."""
        exact = self.formula
        if exact is None:
            exact = self.difference("richardson", default_step(self.point, "richardson"))
        curve: dict[str, list[float | None]] = {"steps": list(STEPS)}
        for scheme in ("forward", "central"):
            curve[scheme] = [plain(relative_error(exact, self.difference(scheme, h))) for h in STEPS]
        curve["complex"] = plain(self._errors_of_complex_steps(exact) / (np.abs(exact).max() or 1.0))
        return curve

    def _errors_of_complex_steps(self, exact: Array) -> Array:
        """The largest at each step: the sweep takes one as it comes, where fd_gradient refuses a large one."""
        errors = np.zeros(len(STEPS))
        for entry in [self.entry] if self.value.ndim else np.ndindex(self.point.shape):
            slope = exact if self.value.ndim else exact[entry]
            sweep = step_sweep(self.f, self.point, self.direction(entry), STEPS, slope, ("complex",))
            errors = np.maximum(errors, sweep.errors["complex"] * (np.abs(slope).max() or 1.0))
        return errors


@quiet
def relative_error(formula: Array, difference: Array) -> float:
    """Return the largest entry of difference - formula, relative to the formula's largest entry."""
    return float(np.abs(difference - formula).max() / (np.abs(formula).max() or 1.0))


def subject_of(
    f: Any, candidate: Any, at: Any, space: Space | str | None, params: dict[str, Any]
) -> tuple[Subject, dict[str, Array]]:
    """The subject that ``explore`` was asked for, and the values of its variables."""
    if isinstance(f, str):
        if f not in TABLE:
            one_of("f", f, _explorable())
        f = TABLE[f]
    if isinstance(f, Identity):
        return _subject_of_entry(f, candidate, at, space, params)
    if not callable(f):
        raise TypeError(
            f"f must be a key of the table, an entry of it or a function, not {brief(f)}; "
            f"the keys are {', '.join(_explorable())}"
        )
    return _subject_of_function(f, candidate, at, space, params)


def _explorable() -> list[str]:
    """The keys of the entries that have a derivative."""
    return [key for key, entry in TABLE.items() if isinstance(entry, Differentiable)]


def _subject_of_function(
    f: Callable[[Any], Any], candidate: Any, at: Any, space: Space | str | None, params: dict[str, Any]
) -> tuple[Subject, dict[str, Array]]:
    if params:
        raise TypeError(f"unknown variables {', '.join(params)}: a function of your own has one, its point")
    if at is None:
        raise ValueError("at is missing: a function of your own needs a point")
    point = as_real("at", at)
    if point.ndim not in (1, 2) or (point.ndim == 2 and point.shape[0] != point.shape[1]):
        raise ValueError(f"at must be a vector or a square matrix, but its shape is {point.shape}")
    wrt, own = ("S", SPACES["general"]) if point.ndim == 2 else ("x", SPACES["vector"])
    where = _narrowed(wrt, point, space, own)
    _in_space("at", point, where)
    name = getattr(f, "__name__", "f").replace("<lambda>", "f")
    subject = Subject(
        key=name,
        title=f"{name}({wrt})",
        wrt=wrt,
        spaces={wrt: where},
        along=lambda variables: f,
        formula=None if candidate is None else _claimed(candidate, point, f, wrt),
        claims=candidate is not None,
    )
    return subject, {wrt: point}


def _subject_of_entry(
    entry: Identity, candidate: Any, at: Any, space: Space | str | None, params: dict[str, Any]
) -> tuple[Subject, dict[str, Array]]:
    if not isinstance(entry, Gradient | Differential):
        raise TypeError(
            f"f: {entry.key!r} is an equality; only an entry with a derivative can be explored: "
            f"{', '.join(_explorable())}"
        )
    wrt, where = entry.wrt, dict(entry.where)
    values, sides = _variables(entry, at, params)
    where[wrt] = _narrowed(wrt, values[wrt], space, where[wrt])
    for name, array in values.items():
        _in_space("at" if name == wrt else name, array, where[name])
    formula = _formula_of(entry)
    if candidate is not None:
        formula = _claimed(candidate, values[wrt], entry.along(values), wrt)
    subject = Subject(
        key=entry.key,
        title=TITLES.get(entry.key, entry.key),
        wrt=wrt,
        spaces=where,
        along=lambda variables: quiet(entry.along(variables)),
        formula=formula,
        claims=candidate is not None,
        entry=entry if candidate is None and {**sides, **OTHER_SIDES} == sides else None,
        d=sides["d"],
    )
    return subject, values


def _variables(
    entry: Differentiable, at: Any, params: dict[str, Any]
) -> tuple[dict[str, Array], dict[str, int]]:
    """Every variable of an entry, as given or else by an example of a size that fits; and the sizes."""
    wrt, where = entry.wrt, entry.where
    held = [name for name in where if name != wrt]
    if unknown := set(params) - set(held):
        raise TypeError(
            f"unknown variables {', '.join(sorted(unknown))}: {entry.key!r} holds {', '.join(held) or 'none'}"
            f"; {wrt} is given by at="
        )
    given = {name: (name, value) for name, value in params.items()}
    if at is not None:
        given[wrt] = ("at", at)
    arrays = {name: as_real(*named, ndim=len(where[name].shape)) for name, named in given.items()}
    sides = {"d": 2, **OTHER_SIDES}
    for name in arrays:  # the point comes last, so it decides
        sides |= dict(zip(where[name].shape, arrays[name].shape, strict=True))
    for name, array in arrays.items():
        as_real(given[name][0], array, shape=[sides[side] for side in where[name].shape])
    values = {name: arrays[name] if name in arrays else _example(name, where[name], sides) for name in where}
    return values, sides


def _formula_of(entry: Gradient | Differential) -> Callable[[dict[str, Array], str, Array], Any]:
    if isinstance(entry, Gradient):
        return quiet(lambda variables, convention, E: entry.gradient(variables, convention))
    return quiet(lambda variables, convention, E: entry.differential(variables, E))


def _claimed(candidate: Any, point: Array, f: Callable[[Any], Any], wrt: str) -> Callable[..., Any]:
    """The reader's table, as it stands in every convention."""
    shape = checked(f(point.copy()), f"this {wrt}").shape or point.shape
    if not callable(candidate):
        fixed = as_real("candidate", candidate, shape=shape)
        return lambda variables, convention, E: fixed
    as_real("candidate(at)", candidate(point.copy()), shape=shape)
    return lambda variables, convention, E: as_real(
        "candidate(point)", candidate(variables[wrt].copy()), shape=shape
    )


def _narrowed(name: str, point: Array, space: Space | str | None, own: Space) -> Space:
    """The space asked for, or the smallest one that serves the conventions and holds the point."""
    if isinstance(space, str):
        return SPACES[one_of("space", space, list(SPACES))]
    if space is not None:
        if not isinstance(space, Space):
            raise TypeError(f"space must be a space or the name of one, not {space!r}")
        return space
    if name == "L" or own.shape != ("d", "d"):  # the letter of a factor, whose symmetry would be an accident
        return own
    for narrower in ("positive definite", "symmetric") if name in ("S", "Sigma", "P") else ("symmetric",):
        if SPACES[narrower].contains(point):
            return SPACES[narrower]
    return own


def index_of(value: Any, shape: tuple[int, ...]) -> list[int]:
    """The indices of an entry that moves."""
    try:
        index = [operator.index(i) for i in value]
    except TypeError:
        raise TypeError(f"direction must hold indices of an entry, but it is {value!r}") from None
    if len(index) != len(shape) or any(not 0 <= i < side for i, side in zip(index, shape, strict=True)):
        raise ValueError(f"direction must hold the indices of an entry of shape {shape}, but it is {index}")
    return index


def _in_space(name: str, array: Array, space: Space) -> Array:
    if space.name == "positive definite":
        return as_positive_definite(name, array)[0]
    if space.symmetric:
        return as_symmetric(name, array)
    if not space.contains(array):
        raise ValueError(f"{name} is not in the space asked for ({space.name})")
    return array


def _example(name: str, space: Space, sides: Mapping[str, int]) -> Array:
    """A point that is easy on the eye."""
    shape = tuple(sides[side] for side in space.shape)
    rng = np.random.default_rng(sum(map(ord, name)))
    for example in _examples(name, space, shape, rng):
        if space.contains(example):
            return example
    return np.asarray(space.draw(rng, sides["d"]))


def _examples(name: str, space: Space, shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[Array]:
    """Some points that may lie in the space, the most pleasing first."""
    square = len(shape) == 2 and shape[0] == shape[1]
    if square and (name == "S" or space is not SPACES["general"]):
        places = np.arange(shape[0])
        yield 0.5 ** np.abs(np.subtract.outer(places, places)) + np.diag(np.linspace(1, 0, shape[0]))
    if not shape:
        yield np.full(shape, 0.5)
    yield np.round(rng.uniform(-2, 2, size=shape), 1)


def plain(value: Any) -> Any:
    """Nested lists for JSON, which knows no NaN."""
    array = np.asarray(value, dtype=float)
    boxed = array.astype(object)
    boxed[~np.isfinite(array)] = None
    return boxed.tolist()
