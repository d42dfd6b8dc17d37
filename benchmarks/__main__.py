"""Time mvnlib beside other libraries, print a table of ratios, write ``results.json`` and the plot.

    python -m benchmarks                                          everything
    python -m benchmarks --quick                                  everything, in about a minute
    python -m benchmarks em gradient --threads 2                  two cases, at two threads
    python -m benchmarks gradient --size n=5000,d=50              another size

The book quotes ``results.json``, so only a run of everything writes it; any other writes ``selection.json``.

Close what else runs: every figure is a ratio within one run, but a busy machine still makes it rough.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.cases import CASES, Case
from benchmarks.report import draw, table, write
from benchmarks.worker import environment

HERE = Path(__file__).parent
LIBRARIES = ("mvnlib", "numpy", "scipy", "scikit-learn", "jax", "torch", "numdifftools", "sympy")


def size(text: str) -> dict[str, int]:
    """A size such as ``n=1000,d=5``."""
    try:
        return {letter: int(float(number)) for letter, number in (p.split("=") for p in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as n=1000,d=5") from None


def options() -> argparse.Namespace:
    """What the command line says."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=form)
    add = parser.add_argument
    add("case", nargs="*", help=f"{', '.join(case.name for case in CASES)}; all of them if none is given")
    add(
        "--size",
        type=size,
        action="append",
        default=[],
        help="replaces the sizes of cases with these letters",
    )
    add("--threads", type=int, nargs="+", default=[1, 2], help="numbers of BLAS threads (1 2)")
    add("--quick", action="store_true", help="a twentieth of the rows, and fewer rounds")
    add("--seconds", type=float, help="time for each case and size (1, quick 0.2)")
    add(
        "--output",
        type=Path,
        help="where the results go, the plot beside them (results.json; of a part, selection.json)",
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.case) - {case.name for case in CASES}:
        parser.error(
            f"no case {', '.join(sorted(unknown))}; there are {', '.join(case.name for case in CASES)}"
        )
    meant = [case for case in CASES if case.name in chosen.case or not chosen.case]
    for given in chosen.size:
        if not any(set(given) == case.letters for case in meant):
            known = " or ".join(
                sorted({", ".join(sorted(case.letters, key="ndK".find)) for case in meant if case.letters})
            )
            parser.error(f"no case takes a size in {', '.join(given)}; it may be in {known}")
    if chosen.output is None:
        whole = not (chosen.case or chosen.size or chosen.quick) and chosen.threads == [1, 2]
        chosen.output = HERE / ("results.json" if whole else "selection.json")
    return chosen


def sizes_of(case: Case, chosen: argparse.Namespace) -> list[dict[str, int]]:
    """The sizes at which a case is measured."""
    own = [size for size in chosen.size if set(size) == case.letters]
    if not own and chosen.quick:
        return [size | {"n": size["n"] // 20} if size.get("n", 0) > 10_000 else size for size in case.sizes]
    return own or list(case.sizes)


def measured(jobs: dict[str, list[dict[str, int]]], threads: int, seconds: float) -> list[dict[str, Any]]:
    """The rows of a process with that many threads."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        subprocess.run(
            [sys.executable, "-m", "benchmarks.worker", str(rows)],
            input=json.dumps({"sizes": jobs, "threads": threads, "seconds": seconds}),
            env=environment(threads),
            cwd=HERE.parent,
            text=True,
            check=True,
        )
        return [json.loads(line) for line in rows.read_text().splitlines()]


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.M) if info.exists() else []
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": (models or [platform.processor()])[0],
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "blas": f"{blas['name']} {blas['version']}",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str | None]:
    """The libraries, None where one is not installed."""
    found: dict[str, str | None] = dict.fromkeys(LIBRARIES)
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def main() -> None:
    """Measure, print, write."""
    chosen = options()
    begun = time.perf_counter()
    found = machine()  # before we are the load
    if (found["load"] or 0) > 0.5:
        print(
            f"Other work is running (load {found['load']:.1f}): the figures will be rough.", file=sys.stderr
        )
    seconds = chosen.seconds or (0.2 if chosen.quick else 1.0)
    cases = [case for case in CASES if case.name in chosen.case or not chosen.case]
    rows = []
    for threads in chosen.threads:
        alone_too = threads == chosen.threads[0]
        jobs = {case.name: sizes_of(case, chosen) for case in cases if alone_too or not case.alone}
        rows += measured(jobs, threads, seconds)
    results = {
        "date": datetime.date.today().isoformat(),
        "quick": chosen.quick,
        "machine": found,
        "versions": versions(),
        "rows": rows,
    }
    print(table(results))
    write(results, chosen.output)
    plot = chosen.output.with_suffix(".svg")
    plt.switch_backend("svg")
    plt.style.use("mvnlib.book")
    draw(results).savefig(plot)
    print(f"\n{chosen.output.name} and {plot.name} are written ({time.perf_counter() - begun:.0f} s).")


if __name__ == "__main__":
    main()
