"""The front end of the explorers: the texts in this folder, joined into one script or one page without imports.

An explorer is a pair of files ``NAME.py`` and ``NAME.js``; the second exports ``inputs``, ``first``, ``refusals``,
``update`` and ``view``. Nothing here lists them: whoever adds such a pair has added an explorer. What they share
stands in files of JavaScript alone, and each says what it imports, so that it can be read and checked by itself.
But a page on disk may not import, nor may a widget in Jupyter: as the texts are joined, the imports say their
order, and go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path

_FOLDER = Path(__file__).parent

_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./(\w+)\.js\";\n", flags=re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const) (\w+))", flags=re.MULTILINE)
_OTHER = re.compile(r"^\s*(?:import\b|export\b(?! (?:async )?(?:function|const) \w)).*$", flags=re.MULTILINE)

#: A page is light or dark as the reader's system is; the explorers take their colours from these names.
_PAGE_STYLE = """
html[data-theme="dark"] {
  --pst-color-background: #14181e;
  --pst-color-surface: #29313d;
  --pst-color-text-base: #ced6dd;
  --pst-color-text-muted: #9ca4af;
  color-scheme: dark;
}
body {
  background: var(--pst-color-background, #fff);
  color: var(--pst-color-text-base, #1f2328);
  font-family: system-ui, sans-serif;
  line-height: 1.45;
  margin: 0 auto;
  max-width: 56rem;
  padding: 1rem;
}
h1 { font-size: 1.25rem; }
"""
_PAGE_THEME = """
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
dark.addEventListener("change", follow);
follow();
"""


def explorers() -> list[str]:
    """The names of the explorers: of the pairs ``NAME.py`` and ``NAME.js``."""
    return sorted(path.stem for path in _FOLDER.glob("*.js") if path.with_suffix(".py").exists())


def module(*names: str) -> str:
    """One ES module to the anywidget contract, for the explorers named or for all.

    Besides its default it exports what the shared files do, and ``explorers``.
    """
    shared = "\n".join(_read(name) for name in _needed(names or explorers()))
    return f"{shared}\nexport {_registry(names)}export default {{ render: (it) => render(explorers, it) }};\n"


def classic_script() -> str:
    """All explorers, and the host that mounts them in a page, as one script that runs from disk."""
    shared = "\n".join(_bare(name) for name in _needed([*explorers(), "host"]))
    return f'(() => {{\n"use strict";\n{shared}\n{_registry(())}{_bare("host")}}})();\n'


def style() -> str:
    """The style sheet of the explorers."""
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


def page(title: str, body: str) -> str:
    """One page that needs no other file, no kernel and no network; it has a script where the body has a state."""
    script = ""
    if '<script type="application/json">' in body:
        script = "<script>\n" + classic_script().replace("</", "<\\/") + "</script>\n"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style()}{_PAGE_STYLE}</style>\n"
        f"<script>{_PAGE_THEME}</script>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n{script}</body>\n</html>\n"
    )


def _needed(names: Iterable[str]) -> list[str]:
    """What the files import, and what that imports: each after all that it uses, and once."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for needed in _IMPORT.findall(_text(name)):
            add(needed)
            found.setdefault(needed)

    for name in names:
        add(name)
    return list(found)


def _registry(names: tuple[str, ...]) -> str:
    """``const explorers``: from the name of each to what its file exports, in a scope of its own."""
    entries = ""
    for name in names or explorers():
        exported = ", ".join(_EXPORT.findall(_text(name)))
        entries += f"{name}: (() => {{\n{_bare(name)}return {{ {exported} }};\n}})(),\n"
    return f"const explorers = {{\n{entries}}};\n"


def _bare(name: str) -> str:
    """A file without imports and exports."""
    return _EXPORT.sub("", _read(name))


def _read(name: str) -> str:
    """A file without its imports."""
    text = _IMPORT.sub("", _text(name))
    if other := _OTHER.search(text):
        raise ValueError(
            f"{name}.js may not say {other[0].strip()!r}: its files are joined, so it imports names in braces "
            "from a file beside it, and exports functions and constants where it defines them"
        )
    return text


@cache
def _text(name: str) -> str:
    return (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
