"""What sets the formulas of the book, without the book."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).resolve().parents[2] / "_ext" / "formulas.py"


@pytest.fixture(scope="module")
def formulas() -> ModuleType:
    """The extension, whose engine is made once."""
    spec = importlib.util.spec_from_file_location("book_formulas", PATH)
    module = sys.modules["book_formulas"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("tex", [r"\nomacro{x}", r"\frac{1}", r"\begin{aligned} x", "x_1_2"])
def test_what_cannot_be_set_is_an_error(formulas: ModuleType, tex: str) -> None:
    with pytest.raises(ValueError, match="KaTeX parse error"):
        formulas.set_formula(tex, True, "{}")


@pytest.mark.parametrize("tex", [r"\cancel{x}", r"\color{red} x", r"\boldsymbol\mu", r"\coloneqq", r"\tr A"])
def test_what_the_chapters_may_use_is_set_with_its_tex_beside_it(formulas: ModuleType, tex: str) -> None:
    macros = formulas.katex_macros({"tr": r"\operatorname{tr}", "norm": [r"\lVert #1 \rVert", 1]})
    for display in (False, True):
        markup = formulas.set_formula(tex, display, macros).markup
        assert f'<annotation encoding="application/x-tex">{tex}</annotation>' in markup


def lines(markup: str) -> list[str]:
    """The text of each piece that no line break divides."""
    parts = markup.split('<span class="base">')[1:]
    return ["".join(re.findall(r">([^<>\u200b]+)<", f"<i>{part}")) for part in parts]


def test_a_display_breaks_before_a_relation_and_within_parentheses_last(formulas: ModuleType) -> None:
    assert lines(formulas.set_formula("a = b + (c - d)", True, "{}").markup) == ["a", "=b", "+(c−d)"]
    assert lines(formulas.set_formula("a = b + (c - d)", False, "{}").markup) == ["a=", "b+", "(c−", "d)"]
    assert lines(formulas.set_formula(r"a = b, \qquad c = d", True, "{}").markup) == ["a", "=b,", "c", "=d"]
    long = formulas.set_formula("x = (" + " + ".join(["abcd"] * 12) + ")", True, "{}")
    assert '<span class="group">' in long.markup
    assert long.widest < 4 < long.width


def test_widths_are_those_of_the_metrics(formulas: ModuleType) -> None:
    one = formulas.set_formula("x", True, "{}").width
    assert formulas.set_formula("xx", True, "{}").width == pytest.approx(2 * one)
    assert formulas.set_formula(r"x \quad x", True, "{}").width == pytest.approx(2 * one + 1)
    assert formulas.set_formula(r"\frac{x}{xxx}", True, "{}").width == pytest.approx(3 * one + 0.24)
    assert formulas.set_formula("x_x", True, "{}").width == pytest.approx(1.7 * one + 0.05 * 1, abs=0.01)
