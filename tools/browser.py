"""Find a Chromium that runs, or fetch one; print its path.

The environment variable CHROMIUM names one outright.  Otherwise: those on the PATH, then Playwright's own.
To fetch: Debian's package where we are root or may become it without a password, else Playwright's download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def runs(path: str | None) -> bool:
    """Whether the browser starts at all: Ubuntu's ``chromium-browser`` may be a stub that prints advice."""
    if not path:
        return False
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwrights_own() -> str | None:
    """Where Playwright would keep its Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def find() -> str | None:
    """The path of a browser on this machine, or None."""
    if named := os.environ.get("CHROMIUM"):
        if not runs(named):
            sys.exit(f"CHROMIUM={named} does not run: name another, or unset it to have one found.")
        return named
    for path in (*map(shutil.which, NAMES), *APPLICATIONS):
        if runs(path):
            return path
    own = playwrights_own()
    return own if runs(own) else None


def fetch() -> None:
    """Install a browser by whichever way this machine allows."""
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = shutil.which("apt-get") and (not become or shutil.which("sudo"))
    if apt and subprocess.run([*become, "true"], capture_output=True).returncode == 0:
        print("No Chromium here: installing the package chromium", file=sys.stderr)
        subprocess.run([*become, "apt-get", "update", "-qq"], stdout=sys.stderr)
        subprocess.run([*become, "apt-get", "install", "-y", "-qq", "chromium"], stdout=sys.stderr)
        if any(runs(shutil.which(name)) for name in NAMES):
            return
    print("No Chromium here: fetching Playwright's", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdout=sys.stderr)


def main() -> None:
    """Print the path of a browser, or say what to do."""
    path = find()
    if path is None:
        fetch()
        path = find()
    if path is None:
        sys.exit(
            "No Chromium or Chrome was found, and none could be fetched; the browser tests are not skipped.\n"
            "Install one (Debian: sudo apt install chromium), or name it: CHROMIUM=/path/to/chrome make test"
        )
    print(path)


if __name__ == "__main__":
    main()
