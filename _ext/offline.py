"""The built book carries what its pages load, and its pages load nothing else.

Two things stand in the way of that in a stock build, and are mended here: the theme brings 2 MB of icons of which a
page shows twenty; and sphinx-thebe, which Jupyter Book always loads, adds to every page the address of a host and a
script that declares one name twice.  Formulas are the work of formulas.py.
"""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx


def without_thebe(app: Sphinx) -> None:
    """Take sphinx-thebe's hands off the pages."""
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)
    app.registry.css_files = [css for css in app.registry.css_files if "thebe" not in css[0]]


def embed_icons(static: Path, pages: str) -> None:
    """Replace the theme's icon fonts and their script by the few glyphs in use, inside the style sheet."""
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    css = sheet.read_text("utf-8")
    if "data:font/woff" in css:  # no page has changed, so Sphinx has not copied the theme's files again
        return
    rule = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
    named = {name: code for names, code in rule.findall(css) for name in re.findall(r"\.(fa-[\w-]+):", names)}
    codes = {named[name] for name in re.findall(r"fa-[\w-]+", pages) if name in named}
    sheets = css + "".join(other.read_text("utf-8") for other in static.rglob("*.css") if other != sheet)
    codes |= set(re.findall(r'"\\(f[0-9a-f]{3})"', rule.sub("", sheets)))  # the icons of admonitions

    def embedded(match: re.Match[str]) -> str:
        font = TTFont(sheet.parent / match[1])
        cutter = subset.Subsetter()
        cutter.populate(unicodes=[int(code, 16) for code in codes])
        cutter.subset(font)
        font.flavor = "woff"
        buffer = io.BytesIO()
        font.save(buffer)
        return f"src:url(data:font/woff;base64,{base64.b64encode(buffer.getvalue()).decode()})"

    face = r'src:url\([^)]*\.woff2\) format\("woff2"\),url\(([^)]*\.ttf)\) format\("truetype"\)'
    css, count = re.subn(face, embedded, css)
    if count != 3 or not codes:
        raise RuntimeError(f"the theme's icons have moved: {count} font faces, {len(codes)} icons")
    sheet.write_text(css, "utf-8")
    (static / "scripts" / "fontawesome.js").write_text("// The icons are glyphs in the style sheet.\n")
    shutil.rmtree(static / "vendor")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """After the pages are written: cut the icons down, drop the source maps."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    embed_icons(out / "_static", "".join(page.read_text("utf-8") for page in out.rglob("*.html")))
    for unused in [*out.rglob("*.map"), *out.glob("_static/sphinx-thebe.*")]:
        unused.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    without_thebe(app)  # which Jupyter Book has set up before its readers' own extensions
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
