"""The reference is made from the docstrings: they are complete, and their examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvnlib

PAGES = sorted((Path(__file__).parents[1] / "chapters" / "api").glob("*.md"))
MODULES = [
    mvnlib,
    *(importlib.import_module(f"mvnlib.{found.name}") for found in pkgutil.iter_modules(mvnlib.__path__)),
]
#: What an example may use without saying so.
NAMES = {"np": np, **{name: getattr(mvnlib, name) for name in mvnlib.__all__}}
EXAMPLES = [
    example
    for module in MODULES
    for example in doctest.DocTestFinder().find(module, globs=NAMES)
    if example.examples
] + [doctest.DocTestParser().get_doctest(page.read_text(), NAMES, page.name, str(page), 0) for page in PAGES]
PUBLIC = {name: value for name, value in NAMES.items() if callable(value)}


def sections(thing: Any) -> dict[str, str]:
    """The numpydoc sections of a docstring, the text before the first under ""."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", inspect.getdoc(thing) or "", flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[0::2], strict=True))


def described(section: str) -> list[str]:
    """The names a section describes, in order."""
    heads = re.findall(r"^(\S.*?)(?: : .*)?$", section, flags=re.MULTILINE)
    return [name.lstrip("*") for head in heads for name in head.split(", ")]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs_and_shows_what_it_says(example: doctest.DocTest) -> None:
    out: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert not runner.run(example, out=out.append, clear_globs=False).failed, "".join(out)


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isfunction(value)])
def test_a_public_function_says_what_it_takes_returns_and_refuses(name: str) -> None:
    found = sections(PUBLIC[name])
    assert re.match(r"\S[^\n]*\.(\n|$)", found[""]), "the first line is a sentence"
    assert described(found["Parameters"]) == list(inspect.signature(PUBLIC[name]).parameters)
    assert found["Returns"].strip()
    assert described(found["Raises"])
    assert ">>> " in found["Examples"]


#: What SymPy is asked takes as long as it takes.
@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isfunction(value)])
def test_a_public_function_says_what_it_costs(name: str) -> None:
    assert re.search(r"O\(|\b[Cc]osts?\b", sections(PUBLIC[name])["Notes"])


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isclass(value)])
def test_a_public_class_describes_its_fields(name: str) -> None:
    found = sections(PUBLIC[name])
    fields = list(getattr(PUBLIC[name], "__annotations__", {}))
    assert described(found.get("Attributes", found.get("Parameters", ""))) == fields


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_stands_once_on_the_pages_and_once_in_the_overview(name: str) -> None:
    pages = {page.stem: page.read_text() for page in PAGES}
    overview = pages.pop("index")
    entry = rf"^\.\. auto\w+:: mvnlib\.{name}\b"
    assert len(re.findall(entry, "\n".join(pages.values()), flags=re.MULTILINE)) == 1
    assert len(re.findall(rf"^   {name}$", overview, flags=re.MULTILINE)) == 1
