"""The built book, and a browser that reads it from disk with the network off.

A test that changes a page, or leaves it, takes ``visit``.  Tests that only look share one visit to each page,
``opened``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of the built pages run in one process: they share one build and one browser."""
    for item in items:
        if "build" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("book"))


@pytest.fixture(scope="session")
def build() -> subprocess.CompletedProcess[str]:
    """The command of ``make book``, run."""
    return subprocess.run(
        [sys.executable, "tools/build.py"], cwd=REPOSITORY, capture_output=True, text=True, timeout=900
    )


@pytest.fixture(scope="session")
def built_book(build: subprocess.CompletedProcess[str]) -> Path:
    """The folder of the built pages, brought up to date."""
    if build.returncode:
        pytest.fail("the book does not build: test_the_book_builds says why", pytrace=False)
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


@contextmanager
def watched(browser: Any) -> Iterator[Any]:
    """An empty page, offline; at the end nothing may have gone wrong, and nothing may have left the disk."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.watch = Watch(tab)
    yield tab
    context.close()
    assert not tab.watch.complaints
    assert not tab.watch.strays


def load(page: Any, address: Path) -> Any:
    """Open a page of the book."""
    page.goto(address.as_uri())
    return page


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of this test's own."""
    with watched(browser) as tab:
        yield tab


@pytest.fixture
def visit(page: Any, built_book: Path) -> Callable[[str], Any]:
    """Open a page of the book by its name."""
    return lambda name: load(page, built_book / f"{name}.html")


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, browser: Any, built_book: Path) -> Iterator[Any]:
    """The page of the book that the parameter names, opened once for all tests of it; ``opened.name`` is its name."""
    with watched(browser) as tab:
        tab.name = request.param
        yield load(tab, built_book / f"{request.param}.html")
