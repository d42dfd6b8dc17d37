"""Open the chapters as notebooks in JupyterLab.

They are the notebooks that the built pages offer for download, copied into ``notebooks`` with the data beside them.
What a reader has changed there is kept: a notebook is copied again only when its chapter is newer.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: No question about news from another host.
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


def main() -> None:
    """Copy the notebooks, then start JupyterLab among them."""
    place = ROOT / "notebooks"
    shutil.copytree(ROOT / "chapters" / "data", place / "data", dirs_exist_ok=True)
    for made in sorted((ROOT / "_build" / "html" / "_sources" / "chapters").glob("*.ipynb")):
        mine, source = place / made.name, ROOT / "chapters" / f"{made.stem}.md"
        if source.exists() and (not mine.exists() or mine.stat().st_mtime < source.stat().st_mtime):
            shutil.copyfile(made, mine)
    overrides = Path(sys.prefix) / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    overrides.write_text(json.dumps(SETTINGS))
    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(place), *sys.argv[1:]]
    if os.geteuid() == 0:  # in a container; Jupyter would refuse
        command.append("--allow-root")
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
