r"""Give every executed page a notebook to download, in the theme's own download menu.

The notebook is made from the page's source: the same code cells, no outputs.  A plain Jupyter knows neither
MyST's directives nor the book's macros, so directives become plain Markdown and a first cell defines the macros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jupytext
import nbformat
from sphinx.application import Sphinx

FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ ]*$",
    re.M | re.S,
)
NOTE = "This notebook needs the package `mvnlib` and the data of the book: run it beside the folder `data`."
OPTIONS = re.compile(r"(?:---\n.*?\n---\n|(?::[\w-]+:[^\n]*\n)*)", re.S)


def directive(match: re.Match[str], titles: Mapping[str, str]) -> str:
    """A MyST directive in plain Markdown."""
    name, _, end = match["name"].partition("-")  # exercise-start, exercise-end
    title = match["title"].strip()
    options = OPTIONS.match(match["body"])[0]
    body = plain(match["body"][len(options) :].strip("\n"), titles)
    if name == "math":
        label = re.search(r"^:label: (\S+)", options, flags=re.M)
        tag = rf" \tag{{{label[1]}}}" if label else ""
        return f"$$\n{body or title}{tag}\n$$"
    if name == "figure":
        return f"![{body}]({title})"
    if end == "end" or name == "index":
        return ""
    if name == "solution":
        title = "Solution"  # what stands there is the label of its exercise
    elif name == "exercise":
        title = f"Exercise. {title}".rstrip(". ")
    return "\n\n".join(filter(None, [f"**{title or name.capitalize()}**", body]))


def plain(text: str, titles: Mapping[str, str] = MappingProxyType({})) -> str:
    """Markdown that any Jupyter shows, from MyST; ``titles`` are those of labelled sections."""
    text = FENCE.sub(lambda match: directive(match, titles), text)
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.M)  # labels
    text = re.sub(r"\{[\w:-]+\}`([^`<]*?)\s*<[^>`]*>`", r"\1", text)  # roles with a text of their own
    return re.sub(r"\{[\w:-]+\}`([^`]*)`", lambda role: titles.get(role[1], f"({role[1]})"), text)


def macros_cell(macros: dict[str, Any]) -> str:
    """The book's macros as definitions that hold for the rest of a notebook."""
    lines = []
    for name, value in macros.items():
        text, arguments = value if isinstance(value, list) else (value, 0)
        lines.append(rf"\newcommand{{\{name}}}" + (f"[{arguments}]" if arguments else "") + f"{{{text}}}")
    return "$$\n" + "\n".join(lines) + "\n$$"


def notebook(
    source: Path, macros: dict[str, Any], titles: Mapping[str, str] = MappingProxyType({})
) -> nbformat.NotebookNode:
    """The page's source as a notebook without outputs."""
    book = jupytext.read(source, fmt="md:myst")
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, titles)
    book.cells.insert(0, nbformat.v4.new_markdown_cell(f"{NOTE}\n\n{macros_cell(macros)}", id="macros"))
    book.metadata.pop("jupytext", None)
    return book


def offer(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the page's notebook beside its source, and put it into the download menu."""
    if doctree is None or not Path(app.env.doc2path(page)).read_text("utf-8").startswith("---\njupytext:"):
        return
    macros = app.config.math_macros
    target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    titles = {label: str(title) for label, (_, _, title) in app.env.get_domain("std").labels.items()}
    nbformat.write(notebook(Path(app.env.doc2path(page)), macros, titles), target)
    context["ipynb_source"] = f"{page}.ipynb"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-page-context", offer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
