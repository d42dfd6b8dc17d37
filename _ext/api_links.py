"""Names of mvnlib lead to its reference: in the text where a page first has one in code type, and in its imports."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

import mvnlib

#: `mvnlib.ops import det, inv`, as Pygments writes it: the module, and the names to the end of line or parenthesis.
IMPORT = re.compile(
    r'<span class="nn">(mvnlib[\w.]*)</span>.*import</span> (?:<span class="p">\(</span>[^)]*|.*)'
)
NAME = re.compile(r'<span class="n">(\w+)</span>')


def link_text(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Wrap the first `name` of each public name in a link, outside of headings, links and the reference itself."""
    known = app.env.domains["py"].objects
    linked = {entry.node_id for entry in known.values() if entry.docname == page}
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().removesuffix("()")
        entry = known.get(f"mvnlib.{name}") if name in mvnlib.__all__ else None
        parent = literal.parent
        if entry and entry.node_id not in linked and not isinstance(parent, nodes.reference | nodes.title):
            linked.add(entry.node_id)
            link = make_refnode(app.builder, page, entry.docname, entry.node_id, literal.deepcopy())
            parent.replace(literal, link)


def link_imports(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Make links of the names that a page's cells import from mvnlib."""
    known = app.env.domains["py"].objects

    def link(name: re.Match[str], module: str) -> str:
        entry = known.get(f"{module}.{name[1]}")
        if entry is None:
            return name[0]
        address = f"{app.builder.get_relative_uri(page, entry.docname)}#{entry.node_id}"
        return f'<a class="mvn-name" href="{address}">{name[0]}</a>'

    if "body" in context:
        context["body"] = IMPORT.sub(
            lambda line: NAME.sub(lambda name: link(name, line[1]), line[0]), context["body"]
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", link_text)
    app.connect("html-page-context", link_imports)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
