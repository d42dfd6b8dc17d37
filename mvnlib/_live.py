"""What the explorers share: the front end, refusing bad input, the form for a page without a kernel."""

from __future__ import annotations

import html
import json
from typing import Any

import anywidget
import traitlets

from mvnlib._front import module, style

#: What stops a function at a point of its space; anything else is a fault of the function, and is not caught.
_NUMERICAL = (ValueError, ArithmeticError)


class Given(traitlets.Any):  # type: ignore[misc]
    """A trait of any kind but None, which would pass unchecked."""

    allow_none = False


class Refusal(traitlets.TraitError, ValueError):  # type: ignore[misc]
    """A value that a trait cannot take: nothing has changed."""


class Live(anywidget.AnyWidget):  # type: ignore[misc]
    """What the explorers share: the front end, refusing bad input, the form for a page without kernel."""

    _esm = module()
    _css = style()

    kind = traitlets.Unicode().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    point = Given().tag(sync=True)
    start = traitlets.Dict().tag(sync=True)
    result = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    _inputs: tuple[str, ...] = ()
    _page_state: tuple[str, ...] = (
        "kind",
        "name",
        "label",
        "point",
        "start",
        "problem",
    )  # what the page needs

    def __init__(self, **values: Any) -> None:
        self._settled: dict[str, Any] = {}
        super().__init__(**values)
        self._settle(self._compute(set(self._inputs)))
        self.observe(self._changed, names=list(self._inputs))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take values from the front end; a refused one is sent back as it was, the reason in ``problem``."""
        try:
            super().set_state(sync_data)
        except traitlets.TraitError as error:
            self.problem = str(error)
            self.send_state([name for name in sync_data if self.has_trait(name)])

    def _checked(self, name: str, value: Any) -> Any:
        """The value an input takes; a ValueError or TypeError says why it cannot."""
        raise NotImplementedError

    def _taken(self, name: str, value: Any) -> Any:
        try:
            return self._checked(name, value)
        except (ValueError, TypeError) as error:
            raise Refusal(str(error)) from error

    def _compute(self, changed: set[str]) -> dict[str, Any]:
        """The traits that follow from the inputs."""
        raise NotImplementedError

    def _settle(self, outcome: dict[str, Any]) -> None:
        self._settled = {name: getattr(self, name) for name in self._inputs} | outcome
        with self.hold_sync():
            for name, value in outcome.items():
                setattr(self, name, value)

    def _changed(self, change: Any) -> None:
        if self._settled.get(change.name) == change.new:
            return
        try:
            outcome = self._compute({change.name})
        except Exception as error:
            setattr(self, change.name, self._settled[change.name])
            if not isinstance(error, _NUMERICAL):
                raise
            self.problem = str(error)
        else:
            self._settle(outcome | {"problem": ""})

    def _functions(self) -> str | None:
        """JavaScript for the page, or None where there is none."""
        raise NotImplementedError

    def _figure(self) -> str:
        raise NotImplementedError

    def static_html(self) -> str:
        """The explorer for a page without a kernel: a figure, and what the page's script brings to life."""
        functions = self._functions()
        body = self._figure()
        if functions is None:
            body += (
                "<p>The numbers of this explorer come from Python: it is live in Jupyter, and still here.</p>"
            )
        else:
            state = {name: getattr(self, name) for name in self._page_state} | {"functions": functions}
            text = json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
            body += f'<script type="application/json">{text}</script>'
        name, label = html.escape(self.name), html.escape(self.label)
        return f'<div class="mvn-widget" data-widget="{name}" role="group" aria-label="{label}">{body}</div>'

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/plain": f"<explorer of {self.name}>", "text/html": self.static_html()}, metadata
