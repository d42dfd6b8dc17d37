"""A progress bar for what may take long, where tqdm is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 2.0  # seconds without a sign of progress


@contextmanager
def progress() -> Iterator[Callable[[float], None]]:
    """Give a function to call with the log-likelihood of every step; from the third second on it draws a bar."""
    begun, steps, bar = time.perf_counter(), 0, None

    def show(value: float) -> None:
        nonlocal steps, bar
        steps += 1
        if bar is None and time.perf_counter() - begun > _PATIENCE:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            # None: in a terminal and in a notebook, not in a file or a pipe.
            bar = tqdm(desc="EM", unit=" steps", initial=steps, leave=False, disable=None)
        if bar is not None:
            bar.set_postfix(loglik=f"{value:.6f}", refresh=False)
            bar.update()

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
