"""The built book, and a browser that reads it from disk with the network off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of the built pages run in one process: they share one build and one browser."""
    for item in items:
        if "built_book" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("book"))


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of the built pages, brought up to date by the command of ``make book``."""
    run = subprocess.run(
        [sys.executable, "tools/build.py"], cwd=REPOSITORY, capture_output=True, text=True, timeout=600
    )
    if run.returncode:
        pytest.fail(f"the book does not build:\n{(run.stdout + run.stderr)[-6000:]}", pytrace=False)
    return REPOSITORY / "_build" / "html"


class Watch:
    """What a page asked for and complained of."""

    def __init__(self, page: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.complaints.append(f"request failed: {request.url}"))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)

    @property
    def files(self) -> list[Path]:
        """The files loaded from disk, each once."""
        paths = [Path(unquote(urlparse(url).path)) for url in self.requests if url.startswith("file:")]
        return list(dict.fromkeys(paths))

    @property
    def strays(self) -> list[str]:
        """Requests that would leave the book."""
        return [url for url in self.requests if not url.startswith(("file:", "blob:", "data:"))]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page, offline; at the end nothing may have gone wrong, and nothing may have left the disk."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.watch = Watch(tab)
    yield tab
    context.close()
    assert not tab.watch.complaints
    assert not tab.watch.strays


@pytest.fixture
def visit(page: Any, built_book: Path) -> Any:
    """Open a page of the book by its name and wait until its formulas stand."""

    def open_page(name: str) -> Any:
        page.goto((built_book / f"{name}.html").as_uri())
        page.wait_for_function("!window.MathJax?.startup || MathJax.startup.promise !== undefined")
        page.evaluate("async () => { if (window.MathJax?.startup) await MathJax.startup.promise; }")
        return page

    return open_page
