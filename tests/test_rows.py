"""The page of the sources lists every row once, and every link from it leads to where the row is treated."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROWS = {
    "S0": "intro 1 2 conv id 3 4 a b c d e 5 6 7 8 9 10 11 12 13 14 sum gd ref not local chain inv",
    "S1": "q1 lap q2 neg mu mumu A jjet sym B R whuber metric scores arg logdet ref work rep tr",
    "S2": "f q el lin neu inv chain Q how jac heat open img",
    "S3": "L dL Sig det M J adj grad q an direct quad dom exist unb prec als",
}
IDS = [f"{source}-{name}" for source, names in ROWS.items() for name in names.split()]

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "chapters" / "12-sources.md").read_text("utf-8")
CHAPTERS = {path.stem: path.read_text("utf-8") for path in sorted(ROOT.glob("chapters/*.md"))}
ANCHORS = {
    anchor: chapter
    for chapter, text in CHAPTERS.items()
    for anchor in re.findall(r"^\((row-[a-z0-9-]+|err-[a-z0-9-]+)\)=$", text, flags=re.M)
}
CELLS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in PAGE.splitlines() if re.match(r"\| S\d-", line)]


def rows_of(cell: str) -> list[str]:
    """The ids a cell stands for: ``S0-3, S0-4`` are two, ``S0-5..7`` three."""
    found = []
    for name in cell.replace(" ", "").split(","):
        span = re.fullmatch(r"(S\d-)(\d+)\.\.(\d+)", name)
        found += [f"{span[1]}{k}" for k in range(int(span[2]), int(span[3]) + 1)] if span else [name]
    return found


def links(text: str, kind: str) -> list[str]:
    """The anchors of one kind that a text links to."""
    return re.findall(rf"\{{ref\}}`[^`<]+ <({kind}-[a-z0-9-]+)>`", text)


def test_every_row_stands_in_the_tables_once() -> None:
    counts = Counter(row for cells in CELLS for row in rows_of(cells[0]))
    assert counts == Counter(IDS)


def test_a_row_has_a_statement_a_verdict_and_a_place() -> None:
    for cells in CELLS:
        assert len(cells) == 4, cells
        assert all(cell.strip() for cell in cells), cells


@pytest.mark.parametrize("cells", CELLS, ids=[cells[0].strip() for cells in CELLS])
def test_a_row_is_linked_to_its_own_place(cells: list[str]) -> None:
    targets = links(cells[3], "row")
    name = rows_of(cells[0])[0].lower()
    assert [target for target in targets if re.match(rf"row-{name}(-|$)", target)]
    assert not [target for target in targets if target not in ANCHORS]
    assert not [target for target in links(cells[2], "err") if target not in ANCHORS]


def test_every_place_in_the_chapters_is_linked_from_the_page() -> None:
    table = "\n".join(cells[3] for cells in CELLS)
    assert not {anchor for anchor in ANCHORS if anchor.startswith("row-")} - set(links(table, "row"))


def test_every_erratum_is_reached_from_a_verdict_and_leads_on_to_a_chapter() -> None:
    reached = {target for cells in CELLS for target in links(cells[2], "err")}
    starts = list(re.finditer(r"^\((err-[a-z0-9-]+)\)=$", PAGE, flags=re.M))
    assert {start[1] for start in starts} == reached
    ends = [start.start() for start in starts[1:]] + [len(PAGE)]
    for start, end in zip(starts, ends, strict=True):
        entry = PAGE[start.end() : end]
        assert "{code-cell}" in entry, start[1]
        assert links(entry, "row") or "{ref}`ch-" in entry, start[1]


def test_no_row_is_left_to_another_of_the_same_name_in_small_letters() -> None:
    """S2-q and S2-Q differ in case alone, and an anchor knows no case."""
    places = {
        cells[0].strip(): links(cells[3], "row") for cells in CELLS if cells[0].strip() in ("S2-q", "S2-Q")
    }
    assert not set(places["S2-q"]) & set(places["S2-Q"])
