"""What the explorers share: refusing bad input, and the forms for a shell and for a page without a kernel."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from mvnlib._validation import brief
from mvnlib.widgets.figure import FRAME, LETTERS, SHAPES
from mvnlib.widgets.front import page, style

#: What stops a function at a point of its space; anything else is a fault of the function, and is not caught.
_NUMERICAL = (ValueError, ArithmeticError)

#: Beyond this dimension the generated JavaScript outgrows a page.
LARGEST_IN_PAGE = 4


class Given(traitlets.Any):  # type: ignore[misc]
    """A trait of any kind but None, which would pass unchecked."""

    allow_none = False


class Refusal(traitlets.TraitError, ValueError):  # type: ignore[misc]
    """A value that a trait cannot take: nothing has changed."""


class Live(anywidget.AnyWidget):  # type: ignore[misc]
    """What the explorers share; each has a file of JavaScript of the same name, which is its ``kind``."""

    _css = style()

    kind = traitlets.Unicode().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    constants = traitlets.Dict().tag(sync=True)
    start = traitlets.Dict().tag(sync=True)
    result = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    _inputs: tuple[str, ...] = ()
    #: What a page needs to begin with.
    _page_state: tuple[str, ...] = ("kind", "name", "label", "constants", "start", "problem")

    def __init__(self, constants: dict[str, Any] | None = None, **values: Any) -> None:
        self._settled: dict[str, Any] = {}
        shared = {"letters": LETTERS, "frame": FRAME, "shapes": SHAPES}
        super().__init__(constants={**shared, **(constants or {})}, **values)
        self._settle(self._compute(set(self._inputs)))
        self.observe(self._changed, names=list(self._inputs))

    def __repr__(self) -> str:
        return (
            f"Explorer of {self._subject_in_words()}:\n{self._result_in_words()}.\n"
            'It is live as the last line of a cell in Jupyter; .save("page.html") writes a page for a browser.'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the explorer, as it stands, into one page that opens in a browser from disk.

        The page needs no other file, no kernel and no network. It is live where the function can be printed as
        JavaScript: for an entry of the table of identities up to d = 4, and for the other explorers as far. A
        function of your own, or your own candidate, runs in Python alone. The page then holds the figure with the
        numbers at the present point, and says that it is still: that is a true record of what was found, and an
        error would leave nothing to show.

        Parameters
        ----------
        path : str or path
            A name that ends in ``.html``, in a folder that exists. A file of this name is replaced.

        Returns
        -------
        pathlib.Path
            The file, in full.

        Raises
        ------
        TypeError
            If ``path`` is no path.
        ValueError
            If it does not end in ``.html``.
        FileNotFoundError, IsADirectoryError
            If its folder does not exist, or if it is a folder itself.

        Notes
        -----
        Cost: that of printing the JavaScript, up to a second; the page has about 90 kB and the data.
        """
        target = _page_path(path)
        target.write_text(page(self.label, self.static_html()), encoding="utf-8")
        return target

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take values from the front end; a refused one is sent back as it was, the reason in ``problem``."""
        try:
            super().set_state(sync_data)
        except traitlets.TraitError as error:
            self.problem = str(error)
            self.send_state([name for name in sync_data if self.has_trait(name)])

    def _accepted(self, name: str, value: Any) -> Any:
        """The value an input takes; a ValueError or TypeError says why it cannot."""
        raise NotImplementedError

    def _taken(self, name: str, value: Any) -> Any:
        try:
            return self._accepted(name, value)
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

    def _subject_in_words(self) -> str:
        """What is explored, and where it stands."""
        raise NotImplementedError

    def _result_in_words(self) -> str:
        """What was found there."""
        raise NotImplementedError

    def _functions(self) -> str | None:
        """JavaScript for the page, or None where there is none."""
        raise NotImplementedError

    def _figure(self) -> str:
        """The figure for a page where no script runs."""
        raise NotImplementedError

    def static_html(self) -> str:
        """The explorer for a page without a kernel: a figure, and what the page's script brings to life."""
        functions = self._functions()
        body = self._figure()
        if functions is None:
            body += (
                "<p>The numbers of this explorer come from Python: it is live in Jupyter. Here it is still, and "
                "shows the numbers at one point.</p>"
            )
        else:
            state = {name: getattr(self, name) for name in self._page_state} | {"functions": functions}
            text = json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
            body += f'<script type="application/json">{text}</script>'
        name, label = html.escape(self.name), html.escape(self.label)
        return f'<div class="mvn-widget" data-widget="{name}" role="group" aria-label="{label}">{body}</div>'

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/plain": repr(self), "text/html": self.static_html()}, metadata


def _page_path(path: Any) -> Path:
    """A place where a page can be written."""
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise TypeError(f'path must be the name of a file, such as "page.html", not {brief(path)}')
    target = Path(path).expanduser().absolute()
    if target.is_dir():
        raise IsADirectoryError(
            f"path must be a file, but {target} is a folder; give a name in it, as page.html"
        )
    if target.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            f'path must end in ".html", so that a browser opens it, but it is {brief(str(path))}'
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(f"path: there is no folder {target.parent}; make it first, or choose another")
    return target
