"""Mount the explorers in the built pages: one classic script and one style sheet, where a page has a widget.

The front end is the ES module of the Jupyter widget. A module cannot be imported from ``file://``, so the
build turns its exports into the properties of an object and puts the host around them: the page then needs no
kernel, no widget manager and no network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from mvnlib._front import module, style

SCRIPT = "mvnlib-widgets.js"
STYLE = "mvnlib-widgets.css"
_MARK = 'class="mvn-widget"'


def classic_script() -> str:
    """The front end and its host as one script that runs from disk."""
    text = module()
    names = re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, flags=re.MULTILINE)
    body = re.sub(r"^export default ", "const view = ", text, flags=re.MULTILINE)
    body = re.sub(r"^export (?=function|const|async)", "", body, flags=re.MULTILINE)
    if leftover := re.search(r"^\s*(import|export)\b.*$", body, flags=re.MULTILINE):
        raise ValueError(f"the front end may not {leftover[0].strip()!r}: the page's script has no modules")
    host = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    exports = ", ".join(["default: view", *names])
    front = f"const front = (function () {{\n{body}\nreturn {{ {exports} }};\n}})();"
    return f'(function () {{\n"use strict";\n{front}\n{host}}})();\n'


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
