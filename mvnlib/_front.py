"""The front end of the explorers: one ES module without imports, kept in files that can be read."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("front")


def module() -> str:
    """The text of the module."""
    parts = ("numbers", "drawing", "views")  # each uses only what stands before it
    return "\n".join((_FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in parts)


def style() -> str:
    """The style sheet of the explorers."""
    return (_FOLDER / "style.css").read_text(encoding="utf-8")
