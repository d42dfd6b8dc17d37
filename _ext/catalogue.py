"""The directive ``{catalogue}``: the table as a page, each entry proved and measured as it is built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mvnlib.differences import fd_differential
from mvnlib.identities import TABLE, Differentiable, Equality, Identity
from mvnlib.symbolic import prove

NAMES = {"mu": r"\mu", "Sigma": r"\Sigma", "pi": r"\pi"}
POINTS, DIMENSION, CONDITION = 20, 4, 100.0


def relative(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


def largest_error(identity: Identity) -> float:
    """The two sides compared in floating point, at random points and in random allowed directions."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(POINTS):
        point = identity.draw(rng, DIMENSION, condition=CONDITION)
        if isinstance(identity, Equality):
            error = relative(identity.lhs(*point.values()), identity.rhs(*point.values()))
        elif isinstance(identity, Differentiable):
            E = identity.where[identity.wrt].direction(rng, DIMENSION)
            difference = fd_differential(identity.along(point), point[identity.wrt], E, scheme="complex")
            error = relative(difference, identity.differential(point, E))
        worst = max(worst, error)
    return worst


def checked(identity: Identity) -> str:
    """How far its sides differ in floating point; an entry that fails here, or in a proof, is an error of the build."""
    proofs = [prove(identity, d) for d in (2, 3)]
    if not all(proof.holds for proof in proofs):
        raise AssertionError(f"the identity {identity.key!r} is not proved: {proofs}")
    if (error := largest_error(identity)) > 1e-9:
        raise AssertionError(f"the identity {identity.key!r} is off by {error:.1e} in floating point")
    against = "between the two sides" if isinstance(identity, Equality) else "from the complex step"
    exponent = int(np.ceil(np.log10(error))) if error else -16
    return f"proved; in floating point the relative difference {against} is below $10^{{{exponent}}}$"


def entry(identity: Identity, chapters: dict[str, str], found: dict[str, str]) -> list[str]:
    """One identity in MyST; ``found`` keeps what was found out, for the next reading of the page."""
    letters = {name: NAMES.get(name, name) for name in identity.where}
    spaces = {
        name: re.sub(r"^(\w) x (\w) matrix", r"$\1 \\times \2$", space.name)
        for name, space in identity.where.items()
    }
    where = ", ".join(f"${letters[name]}$: {space}" for name, space in spaces.items())
    lines = [f"(cat-{identity.key})=", f"## {identity.key}", "", "$$", identity.statement, "$$", ""]
    kind = type(identity).__name__.lower()
    if isinstance(identity, Differentiable):
        kind += f" in ${letters[identity.wrt]}$"
    rows = {"Kind": kind, "Where": where, "Source": identity.source, "Reading": identity.reading}
    if identity.key not in found:
        found[identity.key] = checked(identity)
    rows["Checked"] = found[identity.key]
    if identity.key in chapters:
        rows["Derived"] = f"equation {{eq}}`eq-{identity.key}` in {{doc}}`{chapters[identity.key]}`"
    for name, text in rows.items():
        lines += [f"{name}", f": {text}", ""]
    return lines


class Catalogue(SphinxDirective):
    """All entries of the table, in its order."""

    def run(self) -> list[nodes.Node]:
        """Write the entries as MyST and have them parsed."""
        chapters: dict[str, str] = {}
        for source in sorted(Path(self.env.srcdir).glob("chapters/*.md")):
            document = f"/chapters/{source.stem}"
            if document[1:] in self.env.found_docs:
                for key in re.findall(r"^:label: eq-(\w+)$", source.read_text("utf-8"), flags=re.M):
                    chapters[key] = document
                    self.env.note_dependency(str(source))
        # Lives as long as the doctrees do, and tools/build.py drops those when the package changes.
        if not hasattr(self.env, "catalogue_found"):
            self.env.catalogue_found = {}
        found = self.env.catalogue_found
        lines = [
            f"*Checked* says what was found out while this page was built: a proof in exact arithmetic at $d = 2$ and"
            f" $3$, then the largest difference at {POINTS} random points with $d = {DIMENSION}$ and condition number"
            f" {CONDITION:.0f}. An identity that is not proved, or that disagrees with a difference of its own"
            " function, leaves no page behind.",
            "",
        ]
        text = "\n".join(
            lines + [line for identity in TABLE.values() for line in entry(identity, chapters, found)]
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("catalogue", Catalogue)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
