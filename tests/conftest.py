"""What every test may use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# A size and a seed are all that is drawn, so few draws say much; a first call that compiles is no failure.
settings.register_profile("mvnlib", max_examples=40, deadline=None)
settings.load_profile("mvnlib")

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium; where there is none and none can be fetched, the tests fail: they are never skipped."""
    from playwright.sync_api import sync_playwright

    found = subprocess.run(
        [sys.executable, "tools/browser.py"], cwd=REPOSITORY, capture_output=True, text=True, timeout=600
    )
    if found.returncode:
        pytest.fail(found.stderr, pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found.stdout.strip(), args=FLAGS)
        yield chromium
        chromium.close()
