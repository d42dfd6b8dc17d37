"""The package by itself: what is in it, what it needs, and what importing it costs."""

from __future__ import annotations

import ast
import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvnlib

ROOT = Path(__file__).resolve().parents[1]
#: What is loaded only when it is used, or not by us at all.
HEAVY = {
    "scipy",
    "sympy",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "traitlets",
    "IPython",
    "tqdm",
    "numpy.random",
}

#: What needs more than NumPy.
LATER = {name for module, names in mvnlib._LATER.items() for name in (module, *names)}

ONE_OF_EACH = (
    f"from mvnlib import {', '.join(set(mvnlib.__all__) - LATER)}"
    + """
import numpy as np

rng = np.random.default_rng(0)
X, S = rng.normal(size=(50, 2)), np.array([[2.0, 0.5], [0.5, 1.0]])
mu, Sigma = fit_normal(X)
assert pair(convert_gradient(S, "entrywise", "free"), S, "free") > 0
assert np.allclose(fd_gradient(np.linalg.det, S), [[1.0, -0.5], [-0.5, 2.0]])
assert check_gradient(np.linalg.det, [[1.0, -0.5], [-0.5, 2.0]], S)
assert check_steps(lambda A, B: ops.tr(A @ B), lambda A, B: ops.tr(B @ A), where=dict.fromkeys("AB", "general"))
assert identities.TABLE["logdet"].gradient({"S": S}).shape == (2, 2)
assert spaces.positive_definite.contains(S)
assert np.isclose(loglik(X, mu, Sigma), logpdf(X, mu, Sigma).sum())
assert np.allclose(loglik_gradient(X, mu, Sigma)[1], 0)
assert np.allclose(from_log_cholesky(log_cholesky(S)), S)
assert fisher_information(S)[1].shape == (3, 3)
assert np.allclose(laplace(lambda x: -x @ S @ x / 2, [1.0, 1.0]).covariance, np.linalg.inv(S))
assert (NormalStatistics.from_data(X[:9]) + NormalStatistics.from_data(X[9:])).n == 50
assert fit_mixture(X, 2, rng=rng).means.shape == (2, 2)
"""
)


def run(*command: Any, **options: Any) -> str:
    # As a reader has it: bytecode is kept, and nothing is found by way of this checkout.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist of this checkout, and the wheel built from nothing but that sdist: no isolation, no network."""
    place = tmp_path_factory.mktemp("package")
    source = place / "source"
    for name in ("mvnlib", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    backend = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
    run(sys.executable, "-c", backend, "build_sdist", place, cwd=source)
    (sdist,) = place.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(place / "unpacked", filter="data")
    (unpacked,) = (place / "unpacked").iterdir()
    run(sys.executable, "-c", backend, "build_wheel", place, cwd=unpacked)
    (wheel,) = place.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def bare(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a Python that can import the standard library, NumPy, and the installed wheel."""
    place = tmp_path_factory.mktemp("bare")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    run(*pip, "--target", place, archives[1])
    site = Path(np.__file__).parents[1]
    for folder in [site / "numpy", *site.glob("numpy.libs")]:
        (place / folder.name).symlink_to(folder)
    start = f"import sys; sys.path.insert(0, {str(place)!r}); exec(sys.argv[1])"
    return [sys.executable, "-I", "-S", "-c", start]


def test_the_archives_hold_the_package_and_nothing_else(archives: tuple[Path, Path]) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "mvnlib").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {
        "mvnlib/py.typed",
        "mvnlib/book.mplstyle",
        "mvnlib/widgets/em.py",
        "mvnlib/widgets/em.js",
        "mvnlib/widgets/style.css",
    } <= wanted
    sdist, wheel = archives
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("/METADATA"))
    assert found == wanted
    assert wheel.name.endswith("-py3-none-any.whl")
    assert f"\nVersion: {mvnlib.__version__}\n" in metadata
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    made = {"PKG-INFO", "setup.cfg"} | {name for name in files if ".egg-info/" in name}
    assert files - made == wanted | {"pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"}


def test_the_installed_package_needs_only_numpy(bare: list[str], tmp_path: Path) -> None:
    run(*bare, ONE_OF_EACH, cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "extra"), [("prove", "symbolic"), ("symbolic", "symbolic"), ("explore", "widgets")]
)
def test_what_needs_more_says_what_to_install(bare: list[str], name: str, extra: str) -> None:
    code = f"import mvnlib\ntry:\n    mvnlib.{name}\nexcept ImportError as error:\n    print(error)"
    assert f"pip install 'mvnlib[{extra}]'" in run(*bare, code)


def file_of(module: str) -> Path | None:
    """The file of a module of ours: of a folder, its ``__init__``; none where ``module`` is a name in another."""
    place = ROOT / "mvnlib" / module.replace(".", "/")
    files = (place.with_suffix(".py") if module else place / "__init__.py", place / "__init__.py")
    return next((path for path in files if path.is_file()), None)


def imported(module: str, seen: set[str]) -> set[str]:
    """What a module of ours imports from elsewhere, at once or later, itself or by way of other modules of ours."""
    path = file_of(module)
    if module in seen or path is None:
        return set()
    seen.add(module)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from .x import y` in mvnlib/folder/file.py begins in mvnlib/folder, with two dots in mvnlib.
            folder = ".".join([*path.relative_to(ROOT).parts[: -node.level]]) if node.level else ""
            origin = ".".join(filter(None, [folder, node.module]))
            names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.startswith("mvnlib."):
                found |= imported(name.partition(".")[2], seen)
            elif name != "mvnlib":
                found.add(name.partition(".")[0])
    return found - sys.stdlib_module_names - {"numpy"}


@pytest.mark.parametrize("extra", mvnlib._LATER)
def test_an_extra_installs_all_that_its_module_may_import(extra: str) -> None:
    needed = imported(extra, set()) - {"tqdm"}  # a bar where there is one to be had
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split("[<>=]", wanted)[0] for wanted in project["optional-dependencies"][extra]}
    along = {"traitlets", "IPython"} if "ipywidgets" in named else set()  # what ipywidgets brings
    assert "sympy" in needed
    assert needed <= named | along


def test_the_public_names_are_what_is_listed() -> None:
    listed = dir(mvnlib)
    assert [name for name in listed if not name.startswith("__")] == sorted(mvnlib.__all__)
    assert {"__version__", "__doc__", "__path__"} <= set(listed)
    for name in mvnlib.__all__:
        assert getattr(mvnlib, name) is not None


def test_the_example_in_the_readme_says_what_happens() -> None:
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert not failed
    assert tried >= 8


def test_the_layers_point_one_way(tmp_path: Path) -> None:
    """The contract stands in pyproject.toml; a module that imports what stands above it breaks it."""
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports as f; sys.exit(f(no_cache=True))",
    ]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    shutil.copytree(ROOT / "mvnlib", tmp_path / "mvnlib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "mvnlib" / "spaces.py").open("a") as file:
        file.write("\nfrom mvnlib import normal\n")
    paths = {**os.environ, "PYTHONPATH": str(tmp_path)}
    broken = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True, check=False)
    assert broken.returncode == 1
    assert "mvnlib.spaces -> mvnlib.normal" in broken.stdout


def test_the_version_is_stated_once() -> None:
    stated = {
        name: re.findall(rf"\b{re.escape(mvnlib.__version__)}\b", (ROOT / name).read_text())
        for name in ("pyproject.toml", "mvnlib/__init__.py", "CITATION.cff", "README.md")
    }
    assert [name for name, found in stated.items() for _ in found] == ["mvnlib/__init__.py"]


def test_importing_costs_little_more_than_numpy(bare: list[str]) -> None:
    """At most 30 ms more, or on a machine where NumPy takes longer than 60 ms half as much as it.

    Time of the process alone, in the same process, the least of several: so a busy machine changes little.
    """
    code = """
import json, sys, time
times = [time.process_time()]
import numpy
times.append(time.process_time())
before = set(sys.modules)
import mvnlib
times.append(time.process_time())
print(json.dumps([times, sorted(set(sys.modules) - before)]))
"""
    ratios = []
    for _ in range(6):  # the first may have to compile
        (start, middle, end), loaded = json.loads(run(*bare, code))
        assert "mvnlib.normal" in loaded
        assert not HEAVY & {*loaded, *(name.partition(".")[0] for name in loaded)}
        ratios.append((end - middle) / max(0.060, middle - start))
    assert min(ratios) < 0.5
