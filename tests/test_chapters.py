"""The formulas on the pages are those of the table, and every row of the sources has one place."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from mvnlib.identities import TABLE

CHAPTERS = {path.stem: path.read_text() for path in sorted(Path(__file__).parents[1].glob("chapters/*.md"))}
LABELLED = re.compile(r"^```\{math\}\n:label: eq-(\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
DISPLAYED = {name: dict(LABELLED.findall(text)) for name, text in CHAPTERS.items()}
ANCHOR = re.compile(r"^\((row-[a-z0-9-]+)\)=$", re.MULTILINE)


def squeezed(formula: str) -> str:
    """A formula without its white space and closing punctuation."""
    return re.sub(r"\s|\\[,;!]", "", formula).rstrip(".,;")


@pytest.mark.parametrize(
    ("chapter", "key"), [(name, key) for name, shown in DISPLAYED.items() for key in shown if key in TABLE]
)
def test_the_formula_on_the_page_is_the_one_in_the_table(chapter: str, key: str) -> None:
    assert squeezed(DISPLAYED[chapter][key]) == squeezed(TABLE[key].statement)


def test_no_identity_is_displayed_twice_under_its_label() -> None:
    counts = Counter(key for shown in DISPLAYED.values() for key in shown)
    assert not [key for key, times in counts.items() if times > 1]


def test_every_row_of_the_sources_has_one_place() -> None:
    counts = Counter(anchor for text in CHAPTERS.values() for anchor in ANCHOR.findall(text))
    assert not [anchor for anchor, times in counts.items() if times > 1]


def test_the_first_chapters_display_what_they_derive() -> None:
    shown = {key for keys in DISPLAYED.values() for key in keys}
    assert {"adjugate", "det", "logdet", "inv", "resolvent", "bilinear_inv", "normal_logpdf_Sigma"} <= shown


def test_no_merge_was_left_half_done() -> None:
    marks = re.compile(r"^(<{7}|\|{7}|={7}|>{7})( |$)", re.MULTILINE)
    assert not [name for name, text in CHAPTERS.items() if marks.search(text)]
