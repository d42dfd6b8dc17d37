"""The results as a table and as a plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: A mark for each contender: they read without colour.
MARKS = {
    "limit": "|",
    "by hand": "x",
    "scipy": "o",
    "JAX": "s",
    "PyTorch": "^",
    "scikit-learn": "D",
    "numdifftools": "v",
    "Kronecker": "P",
}


def write(results: dict[str, Any], path: Path) -> None:
    """Write JSON, a row a line, its numbers to four digits."""
    text = []
    for name, value in results.items():
        if isinstance(value, list):
            text.append(f'"{name}": [\n' + ",\n".join(json.dumps(rounded(row)) for row in value) + "\n]")
        else:
            text.append(f'"{name}": {json.dumps(value)}')
    path.write_text("{\n" + ",\n".join(text) + "\n}\n")


def rounded(value: Any) -> Any:
    """The same with four digits to every float in it."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def size_of(row: dict[str, Any]) -> str:
    """The size of a row, as ``n=1,000 d=5``."""
    return " ".join(f"{letter}={number:,}" for letter, number in row["size"].items())


def in_units(seconds: float) -> str:
    """A time with its unit."""
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds * 1e6:.3g} us"


def in_megabytes(size: int | None) -> str:
    """An amount of memory with its unit; nothing if it was not measured."""
    return "" if size is None else f"{size / 1e6:.2f} MB"


def verdict(target: dict[str, Any]) -> str:
    """A target, whether it is met, and what was measured."""
    if target["met"] is None:
        return f"unknown  {target['text']}: not installed"
    value = target["value"] / 1e6 if " MB " in target["text"] else target["value"]
    return f"{'met' if target['met'] else 'NOT MET':7}  {target['text']}: {value:.3g}"


def table(results: dict[str, Any]) -> str:
    """All rows, their ratios, and their targets."""
    machine, lines, work = results["machine"], [], None
    lines.append(f"{machine['processor']}, {machine['cores']} cores, {machine['blas']}, {results['date']}")
    known = (f"{name} {version or 'not installed'}" for name, version in results["versions"].items())
    lines += [", ".join(known), ""]
    lines.append(f"{'size':24}{'threads':>8}{'mvnlib':>10}{'memory':>10}   others, in times of mvnlib")
    for row in results["rows"]:
        if row["work"] != work:
            work = row["work"]
            lines += ["", work]
        others = [f"{name} {times:.2f}" for name, times in row["times mvnlib"].items() if name != "mvnlib"]
        others += [f"{name} not installed" for name in row["missing"]]
        lines.append(
            f"{size_of(row):24}{row['threads']:8}{in_units(row['seconds']['mvnlib']):>10}"
            f"{in_megabytes(row['bytes'].get('mvnlib')):>10}   {', '.join(others)}"
        )
        lines += [f"        {verdict(target)}" for target in row["targets"]]
    verdicts = [target["met"] for row in results["rows"] for target in row["targets"]]
    lines += ["", f"{verdicts.count(True)} of {len(verdicts)} targets met, {verdicts.count(None)} unknown"]
    return "\n".join(lines)


def draw(results: dict[str, Any], threads: int | None = None) -> Any:
    """A figure: for each row at one number of threads, the time of every other library over that of mvnlib."""
    import matplotlib.pyplot as plt

    threads = threads or results["rows"][0]["threads"]
    rows = [
        row
        for row in results["rows"]
        if row["threads"] == threads and not row["alone"] and set(row["times mvnlib"]) & set(MARKS)
    ]
    fig, ax = plt.subplots(figsize=(7.6, 1.2 + 0.24 * len(rows)))
    for name, mark in MARKS.items():
        points = [(row["times mvnlib"][name], k) for k, row in enumerate(rows) if name in row["times mvnlib"]]
        if points:
            ax.plot(
                *zip(*points, strict=True), mark, linestyle="", markersize=7, fillstyle="none", label=name
            )
    ax.axvline(1, color="0.2", linewidth=1)
    ax.set_xscale("log")
    ax.set_yticks(range(len(rows)), [f"{row['case']}, {size_of(row)}" for row in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("time of another version / time of mvnlib")
    if rows:
        fig.legend(
            loc="outside upper center", ncols=len(MARKS), fontsize=8, columnspacing=1, handletextpad=0.2
        )
    return fig
