"""Formulas are set while the book is built, by KaTeX in a small JavaScript engine: a page loads no script for them.

A page then carries each formula twice: as text with a style sheet, for the eye, and as MathML with its TeX, for the
ear and for copying.  The fonts stand in the style sheet, cut down to the characters in use: a browser has them as soon
as it has the page, and Firefox, which refuses fonts from ``file://``, shows them too.  The natural width of a display
is known here, from the metrics of the fonts, so that ``book.css`` can shrink it to a narrow column without a script.
"""

from __future__ import annotations

import atexit
import base64
import html
import io
import json
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

HERE = Path(__file__).parent
SHEET = "formulas.css"
#: The fonts of KaTeX, and the classes of what is set in them: None where symbols have no class that says so.
FACES: dict[str, tuple[str, ...] | None] = {
    "Main-Regular": None,
    "Main-Bold": ("mathbf", "textbf"),
    "Main-Italic": ("mathit", "textit"),
    "Main-BoldItalic": (),  # bold within italic text, or the other way round
    "Math-Italic": ("mathnormal",),
    "Math-BoldItalic": ("boldsymbol",),
    "AMS-Regular": ("amsrm", "mathbb", "textbb"),
    "Caligraphic-Regular": ("mathcal",),
    "Caligraphic-Bold": (),
    "Fraktur-Regular": ("mathfrak", "textfrak"),
    "Fraktur-Bold": ("mathboldfrak", "textboldfrak"),
    "SansSerif-Regular": ("mathsf", "textsf"),
    "SansSerif-Bold": ("mathboldsf", "textboldsf"),
    "SansSerif-Italic": ("mathitsf", "mathsfit", "textitsf"),
    "Script-Regular": ("mathscr", "textscr"),
    "Size1-Regular": None,
    "Size2-Regular": None,
    "Size3-Regular": None,
    "Size4-Regular": None,
    "Typewriter-Regular": ("mathtt", "texttt"),
}
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Formula:
    """A formula as HTML, its natural width, and that of its widest piece which no line break divides, in em."""

    markup: str
    width: float
    widest: float


@cache
def katex() -> Path:
    """The folder of KaTeX's script, style sheet and fonts: an npm package, which tools/env.sh has deno install.

    Its release and its checksum stand in katex.lock.
    """
    lock = json.loads((HERE / "katex.lock").read_text("utf-8"))
    release = lock["specifiers"][next(name for name in lock["specifiers"] if name.startswith("npm:katex@"))]
    found = sorted(Path(sys.prefix, "deno", "npm").glob(f"*/katex/{release}/dist"))
    if not found:
        raise RuntimeError(f"KaTeX {release} is not installed: sh tools/env.sh fetches it")
    return found[0]


@cache
def engine() -> MiniRacer:
    """A JavaScript engine with KaTeX."""
    context = MiniRacer()
    atexit.register(context.close)  # left to the end of Python, it may wait for its own thread for ever
    context.eval((katex() / "katex.min.js").read_text("utf-8"))
    context.eval((HERE / "formulas.js").read_text("utf-8"))
    return context


@cache
def set_formula(tex: str, display: bool, macros: str) -> Formula:
    """Set one formula; ``macros`` is JSON.  What KaTeX does not know is a ``ValueError``."""
    try:
        found = engine().call("setFormula", tex, display, json.loads(macros))
    except JSEvalException as error:
        reason = re.search(r"ParseError: (.*)", str(error))
        raise ValueError(reason[1] if reason else str(error)) from None
    return Formula(**json.loads(found))


def katex_macros(macros: dict[str, Any]) -> str:
    r"""The macros of ``_config.yml`` for KaTeX: ``tr: \operatorname{tr}``, or with arguments a list ``[text, n]``."""
    return json.dumps(
        {f"\\{name}": value[0] if isinstance(value, list) else value for name, value in macros.items()}
    )


def formula_of(translator: Any, node: nodes.Element, tex: str, display: bool) -> Formula:
    """The formula of a node; one that cannot be set is a warning, and so an error of the build."""
    try:
        return set_formula(tex.strip(), display, katex_macros(translator.config.math_macros))
    except ValueError as error:
        logger.warning("the formula %r cannot be set: %s", tex.strip(), error, location=node)
        return Formula(f"<code>{html.escape(tex)}</code>", 0, 0)


def visit_math(translator: Any, node: nodes.math) -> None:
    """A formula in a sentence."""
    formula = formula_of(translator, node, node.astext(), False)
    wide = " wide" if formula.widest > 15 else ""
    translator.body.append(
        translator.starttag(node, "span", "", CLASS=f"math notranslate nohighlight{wide}")
        + formula.markup
        + "</span>"
    )
    raise nodes.SkipNode


def lines(node: nodes.math_block) -> str:
    """The TeX of a display: Sphinx lets a blank line divide it, and two backslashes break it."""
    text = node.astext()
    if node.get("nowrap"):
        return text
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    parts = [rf"\begin{{split}}{part}\end{{split}}" if top_level_break(part) else part for part in parts]
    return parts[0] if len(parts) == 1 else r"\begin{aligned}" + r"\\".join(parts) + r"\end{aligned}"


def top_level_break(tex: str) -> bool:
    r"""Whether ``\\`` stands outside of every environment."""
    depth = 0
    for token in re.findall(r"\\begin\b|\\end\b|\\\\", tex):
        if token == r"\\" and depth == 0:
            return True
        depth += {r"\begin": 1, r"\end": -1}.get(token, 0)
    return False


def visit_math_block(translator: Any, node: nodes.math_block) -> None:
    """A formula on its own line, with its number beside it."""
    formula = formula_of(translator, node, lines(node), True)
    body = translator.body
    body.append(translator.starttag(node, "div", CLASS="math notranslate nohighlight"))
    body.append(f'<div class="formula" style="--width:{formula.width:.2f}">{formula.markup}</div>')
    if node["number"]:
        body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        body.append("</span>")
    body.append("</div>\n")
    raise nodes.SkipNode


def join_marks(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Keep the marks around a formula beside it: a browser would begin a line with the comma that follows."""
    for formula in list(doctree.findall(nodes.math)):
        before, after, parts = (
            formula.previous_sibling(),
            formula.next_node(siblings=True, descend=False),
            [formula],
        )
        around = []
        if isinstance(before, nodes.Text) and (mark := re.search(r"[(\[“]+$", before)):
            around.append((before, before[: mark.start()], mark[0]))
            parts.insert(0, nodes.Text(mark[0]))
        if isinstance(after, nodes.Text) and (mark := re.match(r"[.,;:?!)\]’”]+", after)):
            around.append((after, after[mark.end() :], mark[0]))
            parts.append(nodes.Text(mark[0]))
        if around:
            for text, rest, _ in around:
                text.parent.replace(text, nodes.Text(rest))
            joint = nodes.inline(classes=["joint"])
            formula.parent.replace(formula, joint)
            joint += parts


def embedded(font: TTFont, characters: str) -> str:
    """The glyphs of some characters as a font inside a style sheet."""
    options = subset.Options(hinting=False, name_IDs=[1, 2, 4])  # the names a browser's inspector shows
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters)
    cutter.subset(font)
    font.flavor = "woff"
    buffer = io.BytesIO()
    font.save(buffer)
    return f"data:font/woff;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def style_sheet(pages: str) -> str:
    """KaTeX's style sheet with its fonts inside, each cut down to the characters that the pages set in it."""
    css = (katex() / "katex.min.css").read_text("utf-8")
    characters: dict[str | None, set[str]] = {None: set()}
    for classes, text in set(re.findall(r'<span(?: class="([^"]*)")?[^>]*>([^<>]{1,40})</span>', pages)):
        for name in (None, *classes.split()):
            characters.setdefault(name, set()).update(html.unescape(text))

    def face(match: re.Match[str]) -> str:
        name = match[2].removeprefix("KaTeX_")
        kinds = FACES[name]
        used = set().union(*(characters.get(kind, ()) for kind in ((None,) if kinds is None else kinds)))
        if not used:
            return ""
        path = katex() / "fonts" / f"{match[2]}.woff"
        if not path.exists():
            raise RuntimeError(f"a formula needs the font {path.name}, which is not in {path.parent}")
        return f"@font-face{{{match[1]}font-display:block;src:url({embedded(TTFont(path), ''.join(used))})}}"

    return re.sub(r"@font-face\{([^}]*?)src:url\(fonts/([\w-]+)\.woff2\)[^}]*\}", face, css)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """After the pages are written: the style sheet for what stands in them."""
    if exception is None and app.builder.format == "html":
        out = Path(app.outdir)
        pages = "".join(page.read_text("utf-8") for page in sorted(out.rglob("*.html")))
        (out / "_static" / SHEET).write_text(style_sheet(pages), "utf-8")
        shutil.copy(katex().parent / "LICENSE", out / "_static" / "formulas.LICENSE.txt")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("math_macros", {}, "env")
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_css_file(SHEET)
    app.connect("doctree-resolved", join_marks)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
