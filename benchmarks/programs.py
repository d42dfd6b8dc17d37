"""Contenders that are no functions of arrays: starting Python, proofs, and JavaScript."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np


def starting(*modules: str) -> Any:
    """Start Python and import modules; none of them for the price of Python alone."""
    command = [sys.executable, "-c", f"import {', '.join(('sys', *modules))}"]
    # What is installed is compiled once, whatever is asked of this process.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: lambda: subprocess.run(command, check=True, env=env).returncode


# Proofs that d(S^-1) = -S^-1 E S^-1


def _moved_inverse(d: int) -> Any:
    """For every free entry: the derivative of the inverse less the formula, in explicit entries, unsimplified."""
    from sympy import Matrix, diff

    from mvnlib import symbols

    S = Matrix(symbols("invertible", "S", d).tolist())
    adjugate, det = S.adjugate(), S.det()
    P = adjugate / det
    for i in range(d):
        for j in range(d):
            E = Matrix.zeros(d)
            E[i, j] = 1
            yield from diff(P, S[i, j]) + P * E * P


def by_mvnlib(d: int) -> Any:
    from mvnlib import prove

    return lambda: prove("inv", d).holds


def by_simplifying(name: str) -> Any:
    """Let SymPy's general simplifier find the zeros."""

    def proof(d: int) -> Any:
        import sympy

        return lambda: all(getattr(sympy, name)(entry) == 0 for entry in _moved_inverse(d))

    return proof


def by_polynomials(d: int) -> Any:
    """With the denominators cleared: det dA - A d(det) + A E A = 0 for the adjugate A, in a ring of polynomials."""
    from sympy import QQ, ring

    def proof() -> bool:
        R, *entries = ring([f"s{k}" for k in range(d * d)], QQ)
        S = [entries[d * i : d * i + d] for i in range(d)]

        def determinant(rows: Any, columns: Any) -> Any:
            if not rows:
                return R.one
            terms = (
                (-1) ** k * S[rows[0]][j] * determinant(rows[1:], columns[:k] + columns[k + 1 :])
                for k, j in enumerate(columns)
            )
            return sum(terms, R.zero)

        every = tuple(range(d))
        without = [every[:k] + every[k + 1 :] for k in every]
        A = [[(-1) ** (i + j) * determinant(without[j], without[i]) for j in every] for i in every]
        det = determinant(every, every)
        return all(
            det * A[k][m].diff(S[i][j]) - A[k][m] * det.diff(S[i][j]) + A[k][i] * A[j][m] == 0
            for i in every for j in every for k in every for m in every
        )  # fmt: skip

    return proof


# JavaScript of the log density and its gradient in Sigma

EVALUATIONS = 20_000  # a call, so that the talk with Node.js does not count
_PROGRAM = """
CODE
const point = POINT;
require("readline").createInterface({input: process.stdin}).on("line", times => {
  const v = structuredClone(point);
  let sink = 0;
  for (let k = 0; k < +times; k++) {
    v.Sigma[0][0] += 1e-9;  // or the engine would notice that the answer is known
    const [value, table] = both(v);
    sink += value + table[0][0];
  }
  const [value, table] = both(point);
  console.log(JSON.stringify([value, table, sink]));
});
"""


def node() -> str:
    """Node.js: the system's, or the one that Playwright brings along."""
    found = shutil.which("node")
    if found is None and (playwright := find_spec("playwright")):
        found = shutil.which("node", path=Path(playwright.origin).parent / "driver")
    if found is None:
        raise ImportError("Node.js is not installed")
    return found


class Script:
    """JavaScript kept running: a call evaluates density and gradient many times, and returns them at one point.

    ``code`` defines ``both``, which takes the point and returns the value and the table; ``bytes`` is the length
    of what is in it to compute them.
    """

    def __init__(self, code: str, d: int, size: int) -> None:
        rng = np.random.default_rng(0)
        A = rng.normal(size=(d, d))
        point = {"Sigma": A @ A.T / d + np.eye(d), "x": rng.normal(size=d), "mu": rng.normal(size=d)}
        text = json.dumps({name: value.tolist() for name, value in point.items()})
        self.bytes = size
        self.process = subprocess.Popen(
            [node(), "-e", _PROGRAM.replace("CODE", code).replace("POINT", text)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip

    def __call__(self) -> Any:
        print(EVALUATIONS, file=self.process.stdin)
        value, table, _ = json.loads(self.process.stdout.readline())
        return value, np.array(table)

    def __del__(self) -> None:
        if hasattr(self, "process"):
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()


def script_of_mvnlib(d: int) -> Script:
    """As mvnlib prints it, for a Sigma whose entries may move alone."""
    from mvnlib import javascript

    code = javascript("normal_logpdf_Sigma", d)
    both = f"const f = {code}, both = v => [f.value(v), f.formula(v)];"
    return Script(both, d, code.index("complex(v,E)"))


def _script(d: int, names: dict[str, Any], value: Any, table: Any) -> Script:
    """Value and table in one function, with what is common to them shared."""
    import sympy as sp

    shared, results = sp.cse([value, *table], symbols=sp.numbered_symbols("c"))
    text = lambda e: re.sub(r"Math\.pow\((\w+), 2\)", r"(\1*\1)", sp.jscode(e))  # noqa: E731
    places = {
        symbol: f"v.{name}" + "".join(f"[{k}]" for k in index)
        for name, array in names.items()
        for index, symbol in reversed(list(np.ndenumerate(array)))
    }
    used = set().union(*(e.free_symbols for e in results), *(e.free_symbols for _, e in shared))
    lines = [f"{symbol}={place}" for symbol, place in places.items() if symbol in used]
    lines += [f"{symbol}={text(e)}" for symbol, e in shared]
    first, *rest = map(text, results)
    rows = ",".join(f"[{','.join(rest[d * i : d * i + d])}]" for i in range(d))
    code = f"function both(v){{const {','.join(lines)};return [{first},[{rows}]];}}"
    return Script(code, d, len(code))


def script_by_hand(d: int) -> Script:
    """For a symmetric Sigma: elimination run on symbols is then L D L^T."""
    from mvnlib import ops, symbols
    from mvnlib.identities import TABLE

    names = {
        "x": symbols("vector", "x", d),
        "mu": symbols("vector", "m", d),
        "Sigma": symbols("symmetric", "s", d),
    }
    with ops.by_elimination():
        value, table = TABLE["normal_logpdf_Sigma"].f(**names), TABLE["normal_logpdf_Sigma"].grad(**names)
    return _script(d, names, value, table.ravel())


def script_by_differentiation(d: int) -> Script:
    """Write the density with determinant and adjugate, and let SymPy differentiate it."""
    import sympy as sp

    from mvnlib import symbols

    names = {
        "x": symbols("vector", "x", d),
        "mu": symbols("vector", "m", d),
        "Sigma": symbols("invertible", "s", d),
    }
    S, y = sp.Matrix(names["Sigma"].tolist()), sp.Matrix(names["x"] - names["mu"])
    det = S.det()
    f = -(d * sp.log(2 * sp.pi) + sp.log(det) + (y.T * S.adjugate() * y)[0] / det) / 2
    return _script(d, names, f, [sp.diff(f, s) for s in S])


def code_size(script: Script) -> int:
    """Bytes of the code, in the place of memory."""
    return script.bytes
