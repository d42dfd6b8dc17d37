"""The build turns red when it should."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADER = (ROOT / "chapters" / "notation.md").read_text().split("---")[1]
CELL = "```{code-cell} ipython3\n%s\n```\n"


@pytest.fixture
def small_book(tmp_path: Path) -> Path:
    """The project's own machinery around one short chapter."""
    book = tmp_path / "book"
    for folder in ("_ext", "_static", "tools", "mvnlib"):
        shutil.copytree(ROOT / folder, book / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "references.bib", "requirements.txt"):
        shutil.copy(ROOT / name, book / name)
    (book / "chapters" / "data").mkdir(parents=True)
    (book / "chapters" / "data" / "one.csv").write_text("1\n")
    (book / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n  - file: chapters/one\n")
    (book / "intro.md").write_text("# A book\n\nSee {ref}`one`.\n")
    chapter(book, CELL % "1 + 1")
    return book


def chapter(book: Path, body: str) -> None:
    (book / "chapters" / "one.md").write_text(f"---{HEADER}---\n\n(one)=\n# One\n\n{body}\n")


def build(book: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, book / "tools" / "build.py", book], capture_output=True, text=True, timeout=300
    )


def test_a_cell_that_fails_turns_the_build_red_until_it_is_mended(small_book: Path) -> None:
    chapter(small_book, CELL % "1 / 0")
    red = build(small_book)
    assert red.returncode != 0
    assert "ZeroDivisionError" in red.stdout + red.stderr
    chapter(small_book, CELL % "0 / 1")
    green = build(small_book)
    assert green.returncode == 0, green.stdout + green.stderr
    assert (small_book / "_build" / "html" / "chapters" / "one.html").as_posix().startswith(str(small_book))
    assert "file:///" in green.stdout


def test_a_warning_turns_every_build_red(small_book: Path) -> None:
    bodies = {
        "eq-nowhere": "See {eq}`eq-nowhere`.",
        "undefined label: 'nowhere'": "See {ref}`nowhere`.",
        "nobody1900": "As {cite:t}`nobody1900` says.",
        r"Undefined control sequence: \nomacro": r"A formula $\nomacro{x}$.",
        "stderr was found": CELL % "import warnings\nwarnings.warn('mind')",
    }
    chapter(small_book, "\n\n".join(bodies.values()))
    for _ in range(2):
        red = build(small_book)
        assert red.returncode != 0
        warnings = [
            line for line in (red.stdout + red.stderr).splitlines() if re.search("(WARNING|ERROR): ", line)
        ]
        for complaint in bodies:
            assert [line for line in warnings if complaint in line]
        assert f"build finished with problems, {len(bodies)} warnings." in red.stdout + red.stderr


def test_a_page_that_is_missing_turns_the_build_red(small_book: Path) -> None:
    with (small_book / "_toc.yml").open("a") as toc:
        toc.write("  - file: chapters/two\n")
    red = build(small_book)
    assert red.returncode != 0
    assert "chapters/two" in red.stdout + red.stderr


def test_cells_run_again_when_the_data_change_and_only_then(small_book: Path) -> None:
    chapter(small_book, CELL % "'answer ' + open('data/one.csv').read().strip() * 3")
    page = small_book / "_build" / "html" / "chapters" / "one.html"
    assert build(small_book).returncode == 0
    assert "answer 111" in page.read_text()
    source = small_book / "chapters" / "one.md"
    source.write_text(source.read_text() + "\nOther words.\n")
    again = build(small_book)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Executing notebook" not in again.stdout + again.stderr
    assert "Other words." in page.read_text()
    unchanged = build(small_book)
    assert unchanged.returncode == 0
    assert "reading sources" not in unchanged.stdout + unchanged.stderr
    (small_book / "chapters" / "data" / "one.csv").write_text("2\n")
    assert build(small_book).returncode == 0
    assert "answer 222" in page.read_text()
