"""The benchmark compares what it times, times what it says, and names what is missing."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import options
from benchmarks.cases import CASES, Case, Target
from benchmarks.measure import Disagreement, agreement, clock, extra_memory, race, ratio
from benchmarks.programs import starting
from benchmarks.report import draw, table
from benchmarks.worker import environment, judged, measure

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"n": 60, "d": 3, "K": 2}
BY_NAME = {case.name: case for case in CASES}

# Every case


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != "import"], ids=lambda case: case.name
)
def test_all_versions_of_a_case_return_the_same(case: Case, d: int) -> None:
    data = case.data(**{letter: {**SMALL, "d": d}[letter] for letter in case.letters})
    calls = {"mvnlib": case.ours(*data)}
    for name, version in case.peers.items():
        if name != "PyTorch":  # it may not be there
            calls[name] = version(*data)
    assert set(agreement(calls, case.rtol)) == set(case.peers) - {"PyTorch"}
    if case.limit is not None:
        case.limit(*data)()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_targets_speak_of_what_is_measured(case: Case) -> None:
    for size in case.sizes:
        targets = case.targets(**size)
        assert targets
        assert {target.other for target in targets} <= {"", "limit", *case.peers}
        assert {target.kind for target in targets} <= {"at most", "faster", "memory", "seconds", "above"}


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(CASES)


# Agreement


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: (1.0, np.array([2.0, 3.01])),
        lambda: (1.0, np.array([2.0, np.nan])),
        lambda: (1.0, np.array([2.0])),
        lambda: (np.array([2.0, 3.0]), 1.0),
        lambda: False,
    ],
)
def test_a_wrong_answer_is_refused_before_it_is_timed(wrong: Any) -> None:
    right = lambda: (1.0, np.array([2.0, 3.0]))  # noqa: E731
    assert agreement({"mvnlib": right, "other": right}, 1e-9) == {"other": 0.0}
    with pytest.raises(Disagreement, match="other and mvnlib"):
        agreement({"mvnlib": right, "other": wrong}, 1e-3)


def test_the_difference_is_relative_to_the_part_it_is_in() -> None:
    found = agreement({"a": lambda: (1e6, np.ones(2)), "b": lambda: (1e6, np.array([1.0, 1.5]))}, 1.0)
    assert found == {"b": pytest.approx(0.5)}


# Time


def test_time_is_that_of_a_call_and_ratios_are_taken_within_a_round() -> None:
    seconds = race({"one": lambda: time.sleep(0.002), "three": lambda: time.sleep(0.006)}, budget=0.1)
    assert len(seconds["one"]) == len(seconds["three"]) >= 5
    assert min(seconds["one"]) >= 0.002
    assert 1.5 < ratio(seconds["three"], seconds["one"]) < 4
    assert ratio([2.0, 40.0, 6.0], [1.0, 10.0, 3.0]) == 2.0
    assert ratio([9.0], [1.0, 3.0, 5.0]) == 3.0


def test_contenders_take_turns_at_going_first() -> None:
    calls: list[str] = []

    def taking(name: str) -> Any:
        return lambda: (calls.append(name), time.sleep(0.005))

    race({"a": taking("a"), "b": taking("b")}, budget=0.0)
    assert "".join(calls) == "ab" + "aaabbb" + "ab" + "ba" + "ab" + "ba" + "ab"


def test_what_is_short_is_repeated_until_the_clock_can_see_it() -> None:
    calls: list[int] = []
    seconds = race({"a": lambda: calls.append(1)}, budget=0.0)
    assert len(seconds["a"]) == 5
    assert len(calls) > 1000
    calls.clear()
    assert clock(lambda: calls.append(1), 10) > 0
    assert len(calls) == 10


def test_what_is_slow_at_first_only_is_repeated_as_the_others_are() -> None:
    calls: list[int] = []

    def cold_at_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.003)

    race({"a": cold_at_first}, budget=0.0)
    assert len(calls) > 50


def test_the_collector_rests_while_the_clock_runs_and_wakes_after() -> None:
    seen: list[bool] = []
    assert gc.isenabled()
    race({"a": lambda: seen.append(gc.isenabled())}, budget=0.0)
    assert not any(seen)
    assert gc.isenabled()


def test_memory_is_what_is_held_at_the_worst_moment_beside_the_result() -> None:
    def call() -> Any:
        return np.ones(1000_000)[:1000] + 1  # eight megabytes for a while

    assert 8_000_000 <= extra_memory(call) < 8_050_000
    kept = np.ones(10_000)
    assert extra_memory(lambda: kept) < 10_000
    assert extra_memory(lambda: kept + 1) < 10_000


# Verdicts


def test_a_target_is_judged_by_the_ratio_it_names() -> None:
    row = {
        "times mvnlib": {"mvnlib": 1.0, "limit": 0.5, "JAX": 9.0},
        "bytes": {"mvnlib": 3e6},
        "seconds": {"mvnlib": 0.2, "NumPy": 0.15, "limit": 0.1},
    }
    met = {
        Target("at most", 2.0, "limit"): True,
        Target("at most", 1.9, "limit"): False,
        Target("faster", 9.0, "JAX"): True,
        Target("faster", 9.1, "JAX"): False,
        Target("faster", 1.0, "PyTorch"): None,
        Target("memory", 4e6): True,
        Target("memory", 2e6): False,
        Target("seconds", 0.1): False,
        Target("seconds", 0.3): True,
    }
    assert {target: judged(target, row)["met"] for target in met} == met
    row["times mvnlib"]["NumPy"] = 0.75
    assert judged(Target("above", 0.06, "NumPy"), row)["met"] is True
    assert judged(Target("above", 0.04, "NumPy"), row)["met"] is False


def test_a_library_that_is_not_installed_is_named_and_the_rest_is_measured() -> None:
    def absent(*data: Any) -> Any:
        raise ImportError("no module named absent")

    case = Case(
        "sum",
        "a sum",
        ({"n": 3},),
        lambda n: (np.ones(n),),
        lambda X: X.sum,
        {"by hand": lambda X: lambda: float(len(X)), "absent": absent},
        lambda n: (Target("faster", 1.0, "absent"), Target("at most", 1e9, "by hand")),
    )
    row = measure(case, {"n": 3}, 1, 0.0)
    assert row["missing"] == ["absent"]
    assert [target["met"] for target in row["targets"]] == [None, True]
    text = table(
        {"machine": {"processor": "p", "cores": 1, "blas": "b"}, "date": "", "versions": {}, "rows": [row]}
    )
    assert "absent not installed" in text
    assert "1 of 2 targets met, 1 unknown" in text


def test_every_library_is_told_its_number_of_threads() -> None:
    pinned = environment(1)
    assert {pinned[f"{name}_NUM_THREADS"] for name in ("OPENBLAS", "OMP", "MKL")} == {"1"}
    assert "intra_op_parallelism_threads=1" in pinned["XLA_FLAGS"]
    assert environment(2)["OPENBLAS_NUM_THREADS"] == "2"


# The command


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_the_command_measures_the_size_it_is_given_and_writes_table_results_and_plot(tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    done = run(
        "value", "em", "proof", "--size", "n=200,d=3", "--size", "d=2",
        "--size", "n=300,d=2,K=2", "--threads", "1", "--seconds", "0.01",
        "--output", str(output),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "scipy" in done.stdout
    assert "targets met" in done.stdout
    results = json.loads(output.read_text())
    assert {row["case"]: row["size"] for row in results["rows"]} == {
        "value": {"n": 200, "d": 3},
        "em": {"n": 300, "d": 2, "K": 2},
        "proof": {"d": 2},
    }
    for row in results["rows"]:
        if row["alone"]:
            continue
        assert row["threads"] == 1
        assert row["times mvnlib"]["mvnlib"] == 1.0
        assert set(row["seconds"]) <= {"mvnlib", "by hand", "scipy", "JAX", "limit", "scikit-learn"}
    assert results["versions"]["numpy"] == np.__version__
    assert "<svg" in (tmp_path / "out.svg").read_text()


@pytest.mark.parametrize("part", ["em", "--quick", "--threads 2", "--size n=5000,d=30"])
def test_only_a_run_of_everything_writes_the_results_that_the_book_quotes(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, name in (([], "results.json"), (part.split(), "selection.json")):
        monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
        assert options().output == ROOT / "benchmarks" / name


def test_what_is_imported_is_compiled_before_it_is_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "something.py").write_text("x = 1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert starting("something")()() == 0
    assert list((tmp_path / "__pycache__").glob("something.*.pyc"))


def test_a_plot_of_nothing_that_others_compute_has_no_legend() -> None:
    row = {"case": "proof", "threads": 1, "alone": True, "times mvnlib": {"mvnlib": 1.0}, "size": {"d": 2}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not draw({"rows": [row]}).legends


def test_the_command_refuses_what_it_does_not_know() -> None:
    unknown = run("nonsense")
    assert unknown.returncode == 2
    assert "no case nonsense" in unknown.stderr
    bad = run("em", "--size", "large")
    assert bad.returncode == 2
    assert "n=1000,d=5" in bad.stderr
    unused = run("em", "--size", "n=200,d=3,k=2")
    assert unused.returncode == 2
    assert "no case takes a size in n, d, k; it may be in n, d, K" in unused.stderr


# The results that the book shows


def test_the_results_of_the_book_are_a_whole_run() -> None:
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert not results["quick"]
    shown = {(row["case"], tuple(row["size"].items()), row["threads"]) for row in results["rows"]}
    wanted = {
        (case.name, tuple(size.items()), threads)
        for case in CASES
        for size in case.sizes
        for threads in ((1,) if case.alone else (1, 2))
    }
    assert shown == wanted
    assert "targets met" in table(results)
    assert len(draw(results).axes) == 1
