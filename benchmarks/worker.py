"""Measure at one number of threads: a process of its own, because BLAS counts its threads when it is loaded."""

from __future__ import annotations

import json
import os
import statistics
import sys
from typing import Any

#: Every library's own name for "how many threads".
VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NPROC")

#: Libraries whose memory Python does not see.
UNSEEN = ("JAX", "PyTorch")


def environment(threads: int) -> dict[str, str]:
    """The environment in which every library starts that many threads."""
    pinned = {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}
    if threads == 1:
        pinned["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return pinned


def bind(threads: int) -> None:
    """Keep this process to that many cores, where the system can: XLA counts cores, not variables."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def measure(case: Any, size: dict[str, int], threads: int, budget: float) -> dict[str, Any]:
    """One row of results: agreement first, then time, then memory."""
    from benchmarks.measure import agreement, race, ratio

    data = case.data(**size)
    calls, missing = {"mvnlib": case.ours(*data)}, []
    for name, version in case.peers.items():
        try:
            calls[name] = version(*data)
        except ImportError:
            missing.append(name)
    agreed = agreement(calls, case.rtol)
    limit = {} if case.limit is None else {"limit": case.limit(*data)}
    seconds = race(calls | limit, budget, pause=0.0 if threads == 1 or case.alone else 0.02)
    row = {
        "case": case.name,
        "work": case.work,
        "size": size,
        "threads": threads,
        "alone": case.alone,
        "seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "times mvnlib": {name: ratio(times, seconds["mvnlib"]) for name, times in seconds.items()},
        "rounds": {name: len(times) for name, times in seconds.items()},
        "differences": agreed,
        "missing": missing,
        "bytes": {
            name: case.space(call) for name, call in calls.items() if case.space and name not in UNSEEN
        },
    }
    return row | {"targets": [judged(target, row) for target in case.targets(**size)]}


def judged(target: Any, row: dict[str, Any]) -> dict[str, Any]:
    """The measured value of a target, whether it is met, and both in words; None where a library is missing."""
    times, bound, other = row["times mvnlib"], target.bound, target.other
    if other and other not in times:
        value, met = None, None
    elif target.kind == "at most":
        value = 1 / times[other]
    elif target.kind == "faster":
        value = times[other]
    elif target.kind == "memory":
        value = row["bytes"]["mvnlib"]
    elif target.kind == "seconds":
        value = row["seconds"]["mvnlib"]
    else:
        value = row["seconds"]["mvnlib"] - row["seconds"][other]
    if value is not None:
        met = value >= bound if target.kind == "faster" else value <= bound
    wording = {
        "at most": f"at most {bound:g} x {other}",
        "faster": f"at least {bound:g} x faster than {other}",
        "memory": f"at most {bound / 1e6:.2g} MB beside data and result",
        "seconds": f"at most {bound:g} s",
        "above": f"at most {bound:g} s above {other}",
    }
    return {"text": wording[target.kind], "value": value, "met": met}


def main() -> None:
    """Read what to measure from standard input; write a row of JSON a line to the file named."""
    job = json.load(sys.stdin)
    bind(job["threads"])
    from benchmarks.cases import CASES

    cases = {case.name: case for case in CASES}
    with open(sys.argv[1], "a") as out:
        for name, sizes in job["sizes"].items():
            for size in sizes:
                letters = " ".join(f"{letter}={number}" for letter, number in size.items())
                print(f"{job['threads']} threads: {name} {letters}", file=sys.stderr)
                row = measure(cases[name], size, job["threads"], job["seconds"])
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
