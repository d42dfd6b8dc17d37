"""Data larger than memory: files read in pieces, and the same on Dask's local schedulers."""

from __future__ import annotations

import pickle
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from tolerances import assert_close, rounding

from mvnlib import (
    MixtureStatistics,
    NormalStatistics,
    em_step,
    fit_normal,
    loglik,
    loglik_gradient,
    mixture_gradient,
    mixture_loglik,
)

N, D, STEP = 30_000, 4, 4_000  # the last piece is shorter
FAR = 1e6


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of rows, written through a memory map a piece at a time, a million standard deviations away."""
    path = tmp_path_factory.mktemp("data") / "rows.npy"
    rng = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(path, "w+", float, (N, D))
    for start in range(0, N, STEP):
        piece = rows[start : start + STEP]
        piece[:] = (
            FAR + rng.standard_normal(piece.shape) * [1, 2, 3, 4] + 5 * rng.integers(2, size=(len(piece), 1))
        )
    rows.flush()
    return path


def piece(path: Path, start: int) -> Any:
    """A piece of the file."""
    return np.load(path, mmap_mode="r")[start : start + STEP]


def statistics(kind: Any, path: Path, theta: tuple[Any, ...], start: int) -> Any:
    """Statistics of a piece: what a worker does."""
    return kind.from_data(piece(path, start), *theta)


def mixture() -> tuple[Any, ...]:
    """Two components."""
    means = FAR + np.stack([np.zeros(D), np.full(D, 5.0)])
    return np.array([0.4, 0.6]), means, np.stack([np.diag([1.0, 4, 9, 16])] * 2)


KINDS = [(NormalStatistics, ()), (MixtureStatistics, mixture())]


def added_by(scheduler: str, kind: Any, path: Path, theta: tuple[Any, ...]) -> Any:
    """The sum of the statistics of all pieces, by a scheduler of Dask."""
    task = dask.delayed(partial(statistics, kind, path, theta))
    parts = [task(start) for start in range(0, N, STEP)]
    return dask.delayed(sum)(parts).compute(scheduler=scheduler)


def assert_same_normal(total: NormalStatistics, path: Path) -> None:
    X = np.load(path)
    mu, Sigma = fit_normal(X)
    assert total.n == N
    found_mu, found_Sigma = fit_normal(total)
    assert np.abs(found_mu - mu).max() <= 4 * np.finfo(float).eps * FAR
    assert_close(found_Sigma, Sigma, 1e-9, "Sigma")
    mu = mu + 0.5
    assert loglik(total, mu, Sigma) == pytest.approx(loglik(X, mu, Sigma), rel=1e-10)
    for found, expected in zip(loglik_gradient(total, mu, Sigma), loglik_gradient(X, mu, Sigma), strict=True):
        assert_close(found, expected, 1e-8, "gradient")


def assert_same_mixture(total: MixtureStatistics, path: Path) -> None:
    X, theta = np.load(path), mixture()
    assert total.n == N
    assert total.loglik == pytest.approx(mixture_loglik(X, *theta), rel=rounding())
    *found, value = total.em_step()
    *expected, same_value = em_step(X, *theta)
    assert value == pytest.approx(same_value, rel=rounding())
    for name, one, other in zip(("weights", "means", "covariances"), found, expected, strict=True):
        assert_close(one, other, rounding(100.0), name)
    for one, other in zip(total.loglik_gradient(), mixture_gradient(X, *theta), strict=True):
        assert_close(one, other, 1e-9, "gradient")


SAME = {NormalStatistics: assert_same_normal, MixtureStatistics: assert_same_mixture}


@pytest.mark.parametrize(("kind", "theta"), KINDS)
def test_a_file_read_in_pieces_gives_what_the_whole_file_gives(
    kind: Any, theta: tuple[Any, ...], path: Path
) -> None:
    total = sum(statistics(kind, path, theta, start) for start in range(0, N, STEP))
    SAME[kind](total, path)


@pytest.mark.parametrize(("kind", "theta"), KINDS)
def test_a_mapped_file_need_not_be_cut_by_hand(kind: Any, theta: tuple[Any, ...], path: Path) -> None:
    SAME[kind](kind.from_data(np.load(path, mmap_mode="r"), *theta), path)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
@pytest.mark.parametrize(("kind", "theta"), KINDS)
def test_a_local_scheduler_of_dask_adds_to_the_same(
    kind: Any, theta: tuple[Any, ...], scheduler: str, path: Path
) -> None:
    SAME[kind](added_by(scheduler, kind, path, theta), path)


@pytest.mark.parametrize(("kind", "theta"), KINDS)
def test_statistics_travel_between_machines(kind: Any, theta: tuple[Any, ...], path: Path) -> None:
    there = statistics(kind, path, theta, 0)
    text = pickle.dumps(there)
    assert len(text) < 5_000
    back = pickle.loads(text) + statistics(kind, path, theta, STEP)
    here = there + statistics(kind, path, theta, STEP)
    assert back.n == here.n == 2 * STEP
    if kind is NormalStatistics:
        assert np.array_equal(back.scatter, here.scatter)
    else:
        assert back.loglik == here.loglik


@pytest.mark.parametrize(("kind", "theta", "megabytes"), [(*KINDS[0], 1.0), (*KINDS[1], 6.0)])
def test_a_mapped_file_is_never_held_in_memory(
    kind: Any, theta: tuple[Any, ...], megabytes: float, tmp_path: Path
) -> None:
    rows = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", float, (2_000_000, D))
    rows[:] = FAR
    rows[:, 1] += np.arange(len(rows)) % 7
    rows.flush()
    assert rows.nbytes == 64e6
    tracemalloc.start()
    try:
        kind.from_data(np.load(tmp_path / "large.npy", mmap_mode="r"), *theta)
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()
