"""Load the explorers in the built pages: one classic script and one style sheet, where a page has a widget.

Both come from ``mvnlib.widgets.front``; a page then needs no kernel, no widget manager and no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from mvnlib.widgets.front import classic_script, style

SCRIPT = "mvnlib-widgets.js"
STYLE = "mvnlib-widgets.css"
_MARK = 'class="mvn-widget"'


def write_assets(app: Sphinx) -> None:
    """Write the script and the style sheet where Sphinx finds them, before it takes their checksums."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    for name, text in ((SCRIPT, classic_script()), (STYLE, style())):
        (static / name).write_text(text, encoding="utf-8")


def add_assets(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load the two files on the pages that have a widget."""
    if _MARK in (context.get("body") or ""):
        app.add_css_file(STYLE)
        app.add_js_file(SCRIPT, loading_method="defer")


def drop_widget_state(app: Sphinx, doctree: nodes.document) -> None:
    """Forget the state of Jupyter's widget manager: it would load a manager from another host."""
    data = getattr(app.env, "nb_metadata", {}).get(app.env.docname, {})
    for key in [key for key in data.get("js_files", {}) if key.startswith("ipywidgets")]:
        del data["js_files"][key]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the three steps."""
    app.connect("builder-inited", write_assets)
    app.connect("doctree-read", drop_widget_state)
    app.connect("html-page-context", add_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
