"""The name of a public function of mvnlib, the first time a page has it in code type, leads to its reference."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

import mvnlib


def link_names(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Wrap the first `name` of each public name in a link, outside of headings, links and the reference itself."""
    known = app.env.domains["py"].objects
    linked = {entry.node_id for entry in known.values() if entry.docname == page}
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().removesuffix("()")
        entry = known.get(f"mvnlib.{name}") if name in mvnlib.__all__ else None
        if entry is None or entry.node_id in linked:
            continue
        parent = literal.parent
        if isinstance(parent, nodes.reference | nodes.title):
            continue
        linked.add(entry.node_id)
        parent.replace(
            literal, make_refnode(app.builder, page, entry.docname, entry.node_id, literal.deepcopy())
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
