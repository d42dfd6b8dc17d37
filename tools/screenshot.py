"""Take the README's picture, _static/screenshot.png, from the built book.

python tools/screenshot.py [page] [anchor]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Open the page at the anchor, or at its first widget, and keep what stands on the screen."""
    page = sys.argv[1] if len(sys.argv) > 1 else "chapters/04-logdet"
    place = f"#{sys.argv[2]}" if len(sys.argv) > 2 else ".mvn-widget"
    browser = subprocess.run(
        [sys.executable, ROOT / "tools" / "browser.py"], capture_output=True, text=True, check=True
    )
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.stdout.strip(), args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1280, "height": 860})
        tab.goto((ROOT / "_build" / "html" / f"{page}.html").as_uri())
        if tab.locator(place).count():
            tab.locator(place).first.evaluate(
                "e => window.scrollTo(0, e.getBoundingClientRect().top + scrollY - 150)"
            )
        tab.wait_for_timeout(500)
        tab.screenshot(path=ROOT / "_static" / "screenshot.png")
        chromium.close()


if __name__ == "__main__":
    main()
