"""R as an independent witness: its density, and the script of the second source.

R need not be installed: what it said is in files beside the scripts that made it, with the versions.  A file is
renewed with ``Rscript tests/oracles/dmvnorm.R > tests/oracles/dmvnorm.csv``, and likewise ``paired_shift``.
"""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import Any

import jupytext
import numpy as np
import pytest
from tolerances import assert_close, rounding

from mvnlib import convert_gradient, logpdf

HERE = Path(__file__).parent
CHAPTER = HERE.parent / "chapters" / "06-symmetric.md"


def rows(name: str) -> list[dict[str, np.ndarray]]:
    """The rows of a file, each entry a vector; R's matrices here are symmetric, so the order is no question."""
    with (HERE / "oracles" / f"{name}.csv").open(newline="") as file:
        said = next(file)
        assert said.startswith("# R ")
        assert "mvtnorm" in said
        return [
            {key: np.array(text.split(), float) for key, text in row.items()} for row in csv.DictReader(file)
        ]


DENSITIES = rows("dmvnorm")
SCRIPT = rows("paired_shift")


def test_the_files_cover_what_they_should() -> None:
    cases = {(int(row["d"][0]), float(row["condition"][0])) for row in DENSITIES}
    assert cases == {(d, c) for d in (1, 2, 3, 5) for c in (1.0, 1e2, 1e4, 1e6)}
    assert len(DENSITIES) == 4 * len(cases)
    for row in DENSITIES:
        d = int(row["d"][0])
        assert d == 1 or np.isclose(
            np.linalg.cond(row["Sigma"].reshape(d, d)), row["condition"][0], rtol=1e-6
        )
    assert len(SCRIPT) == 6


@pytest.mark.parametrize("row", DENSITIES, ids=lambda row: f"d={row['d'][0]:.0f}-{row['condition'][0]:g}")
def test_logpdf_is_that_of_dmvnorm(row: dict[str, np.ndarray]) -> None:
    d = row["mu"].size
    found = logpdf(row["x"][None], row["mu"], row["Sigma"].reshape(d, d))
    assert found.shape == (1,)
    expected, condition = row["log density"][0], row["condition"][0] if d > 1 else 1.0
    assert abs(found[0] - expected) <= rounding(condition) * max(1.0, abs(expected))


@pytest.fixture(scope="module")
def chapter() -> dict[str, Any]:
    """The functions of the chapter's cells that redo the script in Python."""
    wanted = {"dmvnorm", "finite_difference", "answer_A"}
    cells = [cell.source for cell in jupytext.read(CHAPTER).cells if cell.cell_type == "code"]
    statements = [statement for cell in cells for statement in ast.parse(cell).body]
    found = [s for s in statements if isinstance(s, ast.FunctionDef) and s.name in wanted]
    assert len(found) == len(wanted)
    namespace: dict[str, Any] = {"np": np, "logpdf": logpdf}
    exec(compile(ast.Module(found, []), str(CHAPTER), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("row", SCRIPT, ids=lambda row: f"seed={row['seed'][0]:.0f}")
def test_the_chapter_redoes_the_script_of_the_source(
    chapter: dict[str, Any], row: dict[str, np.ndarray]
) -> None:
    x, mu, Sigma = row["x"], row["mu"], row["Sigma"].reshape(4, 4)
    condition, h = float(np.linalg.cond(Sigma)), 1e-5
    f, A = chapter["dmvnorm"](x, mu, Sigma), chapter["answer_A"](x, mu, Sigma)
    assert_close(f, row["f"][0], rounding(condition), "f")
    assert_close(A * f, row["A * f"].reshape(4, 4), rounding(condition), "A * f")
    assert_close(
        convert_gradient(A * f, "frobenius", "free"), row["B * f"].reshape(4, 4), rounding(condition)
    )
    # A difference divides the rounding of f, each of two, by h; where f is replaced by 0 it is -f / h.
    found, expected = chapter["finite_difference"](x, mu, Sigma), row["fin.diff"].reshape(4, 4)
    shifted = np.abs(expected * h + f).max()
    assert np.abs(found - expected).max() <= 2 * rounding(condition) * max(f, shifted) / h
    gone = np.isclose(expected, -f / h, rtol=1e-3)
    assert gone.any() == (row["seed"][0] == 1395)
    assert (np.isclose(found, -f / h, rtol=1e-3) == gone).all()
