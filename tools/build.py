"""Build the book into ``_build/html``: every cell must run, every warning is an error.

    python tools/build.py [folder of the book]

Where nothing has changed since the last build, nothing is done.  Executed outputs are cached in ``_build``.
jupyter-cache looks at the cells alone, so the cache is emptied here when anything else that a cell can see changes: the
package, the data, the pinned environment, the Python version.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

#: What the chapter on numerics shows; the rest of that folder no cell can see.
RESULTS = [f"benchmarks/{name}" for name in ("results.json", "accuracy.json", "report.py")]
#: What no build reads.
ASIDE = {"_build", "notebooks", "tests"}
#: What is thrown away when what it was made from has changed: what a cell can see, and what makes pages of cells.
MADE_FROM = {
    "cells": (
        ["mvnlib", "chapters/data", *RESULTS, "requirements.txt"],
        [".jupyter_cache", ".doctrees", "jupyter_execute", "html"],
    ),
    "pages": (["_ext", "_static", "_toc.yml", "references.bib"], [".doctrees", "html"]),
}
#: Two habits of the libraries cost a third of a build: the collector walks through every page again and again while the
#: next is loaded, and jsonschema compiles 38 grammars for a check of addresses that nothing here asks for.
PROGRAM = """
import gc, sys
gc.set_threshold(200_000, 20, 50)
sys.modules["rfc3987_syntax"] = None
from jupyter_book.cli.main import main
sys.exit(main())
"""


def digest(book: Path, sources: list[str]) -> str:
    """A digest of the files, and of the Python that runs them."""
    made_from = hashlib.sha256(f"{sys.version} {sys.prefix}".encode())
    for source in (book / name for name in sources):
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                made_from.update(f"{path.relative_to(book)} {path.stat().st_size}\n".encode())
                made_from.update(path.read_bytes())
    return made_from.hexdigest()


def discard(folder: Path, names: list[str]) -> None:
    """Remove what is stale."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)


def build(book: Path) -> int:
    """Build ``book``; the exit status of the build."""
    out = book / "_build"
    out.mkdir(exist_ok=True)
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds of one checkout would write over each other
        for kind, (sources, products) in MADE_FROM.items():
            key, stamp = digest(book, sources), out / f".{kind}"
            if not stamp.exists() or stamp.read_text() != key:
                discard(out, products)
                stamp.write_text(key)
        clean = out / ".clean"
        names = sorted(path.name for path in book.iterdir() if path.name[0] != "." and path.name not in ASIDE)
        everything = digest(book, names)
        if not clean.exists():  # a page once read is not read again, and its warnings would be forgotten
            discard(out, [".doctrees"])
        elif clean.read_text() == everything and (out / "html" / "index.html").exists():
            return 0
        clean.unlink(missing_ok=True)
        command = [sys.executable, "-c", PROGRAM, "build", str(book), "-W", "-n", "--keep-going"]
        # A reader's own backend would leave the pages without figures.
        environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
        # On matrices this small a second thread only waits: a loop on a busy machine ran 16 times slower.
        environment.setdefault("OPENBLAS_NUM_THREADS", "1")
        status = subprocess.run(command, env=environment).returncode
        if status == 0:
            clean.write_text(everything)
    return status


def main() -> int:
    """Build, then say where to open it."""
    book = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    if not (book / "_config.yml").is_file():
        sys.exit(f"{book} holds no book: there is no _config.yml.")
    start = time.perf_counter()
    status = build(book)
    took = time.perf_counter() - start
    if status:
        print(f"\nThe book was NOT built: see the errors and warnings above ({took:.0f} s).", file=sys.stderr)
        return 1
    print(f"\nThe book is built ({took:.0f} s). Open it in a browser; it needs no network and no server:")
    print(f"    {(book / '_build' / 'html' / 'index.html').as_uri()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
