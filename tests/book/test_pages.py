"""The built pages: complete, linked, light, readable by everyone, and whole without a network."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import jupytext
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

import mvnlib

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
CHAPTERS = [chapter["file"] for part in TOC["parts"] if part.get("numbered") for chapter in part["chapters"]]
PAGES = [
    TOC["root"],
    *(
        page["file"]
        for part in TOC["parts"]
        for chapter in part["chapters"]
        for page in (chapter, *chapter.get("sections", ()))
    ),
]
REFERENCE = [page for page in PAGES if page.startswith("chapters/api/")]
NOTEBOOKS = [page for page in PAGES if (ROOT / f"{page}.md").read_text().startswith("---\njupytext:")]

every_page = pytest.mark.parametrize("name", PAGES)
every_chapter = pytest.mark.parametrize("name", CHAPTERS)
every_opened_page = pytest.mark.parametrize("opened", PAGES, indirect=True, scope="module")
every_opened_chapter = pytest.mark.parametrize("opened", CHAPTERS, indirect=True, scope="module")


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def test_the_book_builds(build: subprocess.CompletedProcess[str]) -> None:
    if build.returncode:
        pytest.fail((build.stdout + build.stderr)[-8000:], pytrace=False)


@every_page
def test_a_page_is_accessible(built_book: Path, name: str) -> None:
    page = soup(built_book / f"{name}.html")
    assert page.html["lang"] == "en"
    assert len(page.select("article h1")) == 1
    assert page.find("a", href="#main-content"), "the link that skips the navigation"
    assert not [image for image in page.find_all("img") if not image.get("alt", "").strip()]
    nameless = [
        link
        for link in page.find_all(["a", "button"])
        if not (link.get_text(strip=True) or link.get("aria-label") or link.get("title"))
    ]
    assert not nameless


@every_page
def test_links_lead_somewhere(built_book: Path, name: str) -> None:
    page = built_book / f"{name}.html"
    broken = []
    for link in soup(page).find_all(href=True) + soup(page).find_all(src=True):
        address = link.get("href") or link.get("src")
        if re.match(r"(https?|mailto|data|javascript):", address):
            continue
        path, anchor = urldefrag(re.sub(r"\?[^#]*", "", address))
        target = (page.parent / unquote(path)).resolve() if path else page
        if not target.is_file() or (anchor and not soup(target).find(id=unquote(anchor))):
            broken.append(address)
    assert not broken


@every_page
def test_nothing_is_loaded_from_another_host(built_book: Path, name: str) -> None:
    page = soup(built_book / f"{name}.html")
    loaded = [tag["src"] for tag in page.find_all(src=True)]
    loaded += [tag["href"] for tag in page.find_all("link", href=True)]
    assert not [address for address in loaded if re.match(r"(https?:)?//", address)]
    for sheet in (built_book / "_static").rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//", sheet.read_text("utf-8")), sheet


@every_opened_page
def test_every_formula_is_rendered(opened: Any) -> None:
    assert opened.locator(".math").count() == opened.locator(".math:has(mjx-container)").count()
    assert opened.locator("[data-mml-node=merror], mjx-merror").count() == 0
    assert opened.locator("mjx-container").count() == opened.locator("mjx-assistive-mml").count()


@every_opened_chapter
def test_a_chapter_has_its_parts(built_book: Path, opened: Any) -> None:
    assert opened.locator("mjx-container").count() > 10
    labels = re.findall(r"^:label: (eq-[\w-]+)$", (ROOT / f"{opened.name}.md").read_text(), flags=re.M)
    assert labels
    html = soup(built_book / f"{opened.name}.html")
    numbers = [block.find(class_="eqno") for block in html.select("div.math[id^=equation-]")]
    assert len(numbers) >= len(labels)
    assert all(number and re.match(r"\(\d+\.\d+\)", number.get_text()) for number in numbers)
    figures = html.select(".cell_output img, figure img, .mvn-widget svg")
    assert figures
    assert opened.evaluate("[...document.querySelectorAll('article img')].every(i => i.naturalWidth > 0)")


@every_opened_page
def test_a_page_weighs_under_500_kb_beside_mathjax(opened: Any, built_book: Path) -> None:
    files = [path for path in opened.watch.files if "mathjax" not in path.parts]
    assert built_book / f"{opened.name}.html" in files
    weights = {path.name: len(gzip.compress(path.read_bytes())) for path in files}
    assert sum(weights.values()) < 500_000, sorted(weights.items(), key=lambda item: -item[1])[:5]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_can_be_downloaded(built_book: Path, name: str) -> None:
    page = built_book / f"{name}.html"
    links = [link["href"] for link in soup(page).find_all("a", href=re.compile(r"\.ipynb$"))]
    assert len(links) == 1
    notebook = nbformat.read((page.parent / links[0]).resolve(), as_version=4)
    nbformat.validate(notebook)
    source = jupytext.read(ROOT / f"{name}.md", fmt="md:myst")

    def code(book: Any) -> list[str]:
        return [cell.source for cell in book.cells if cell.cell_type == "code"]

    assert code(notebook) == code(source) != []
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.findall(r"^(?:`{3,}|:{3,})\{.*|^\([\w-]+\)=|\{[\w:-]+\}`", text, flags=re.M)


@every_opened_page
def test_a_page_fits_a_phone(opened: Any) -> None:
    opened.set_viewport_size({"width": 360, "height": 740})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    opened.wait_for_function(
        """() => [...document.querySelectorAll(".bd-article :is(p, li) span.math > mjx-container")].every(
            (formula) => formula.closest("table") // which scrolls as a whole
                || formula.getBoundingClientRect().right <= document.documentElement.clientWidth)"""
    )


@every_opened_page
@pytest.mark.parametrize("width", [1280, 360])
def test_no_line_begins_with_the_mark_that_follows_a_formula(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 740})
    opened.wait_for_function(
        r"""() => [...document.querySelectorAll(".bd-article .math > mjx-container:not(.wide)")].every((formula) => {
            const text = formula.parentElement.nextSibling;
            if (!/^[.,;:?!)]/.test(text?.data ?? "")) return true;
            const mark = document.createRange();
            mark.setStart(text, 0);
            mark.setEnd(text, 1);
            return mark.getBoundingClientRect().top <= formula.getBoundingClientRect().bottom;
        })"""
    )


def test_every_public_name_has_one_place_in_the_reference(built_book: Path) -> None:
    places = Counter(
        place["id"].removeprefix("module-")
        for name in REFERENCE
        for place in soup(built_book / f"{name}.html").find_all(id=re.compile(r"^(module-)?mvnlib\b"))
    )
    assert {places[f"mvnlib.{name}"] for name in mvnlib.__all__} == {1}
    assert not [name for name, count in places.items() if count > 1]


@every_chapter
def test_what_a_chapter_imports_leads_to_the_reference(built_book: Path, name: str) -> None:
    imported = {
        found
        for names in re.findall(
            r"^from mvnlib import (\([^)]*|.*)", (ROOT / f"{name}.md").read_text(), flags=re.M
        )
        for found in re.findall(r"\w+", names)
    }
    article = soup(built_book / f"{name}.html").article
    places = re.compile(r"^api/\w+\.html#(module-)?mvnlib\.")
    links = {link.get_text().removesuffix("()"): link["href"] for link in article.find_all("a", href=places)}
    assert imported & set(mvnlib.__all__) <= set(links)


def test_the_index_has_the_terms_and_the_functions(built_book: Path) -> None:
    sidebar = soup(built_book / "chapters" / "notation.html").select_one(
        "nav.bd-links, .sidebar-primary-items__start"
    )
    assert sidebar.find("a", href="../genindex.html")
    entries = {link.get_text() for link in soup(built_book / "genindex.html").select("article .indextable a")}
    assert len(entries) > 100
    assert {"trace trick", "duplication matrix", "logpdf() (in module mvnlib)"} <= entries


def test_the_dark_switch_works(visit: Any) -> None:
    page = visit(CHAPTERS[0])
    lightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    seen = {}
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen[page.evaluate("document.documentElement.dataset.mode")] = page.evaluate(lightness)
    assert set(seen) == {"auto", "light", "dark"}
    assert seen["dark"] < 60 < 200 < seen["light"]


def test_search_works_from_disk(visit: Any, built_book: Path) -> None:
    page = visit("intro")
    page.goto((built_book / "search.html").as_uri() + "?q=gradient")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li").count() >= 2
    page.locator("#search-results li a").first.click()
    page.wait_for_load_state()
    assert page.locator("article h1").count() == 1


def test_the_front_page_leads_in(visit: Any, built_book: Path) -> None:
    page = visit("index")
    page.wait_for_url("**/intro.html")


def test_a_copy_in_another_place_works(browser: Any, built_book: Path, tmp_path: Path) -> None:
    """No page knows where it stands: in a folder with a blank in its name it loads the same files."""
    (tmp_path / "a book").symlink_to(built_book)
    tab = browser.new_context(offline=True).new_page()
    failed: list[str] = []
    tab.on("requestfailed", lambda request: failed.append(request.url))
    tab.goto((tmp_path / "a book" / f"{CHAPTERS[0]}.html").as_uri())
    tab.wait_for_selector("mjx-container")
    assert not failed
    tab.context.close()
