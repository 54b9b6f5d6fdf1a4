"""Processes that decode photos, and the photos in them, keep to a part of a training's memory."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from worker.photos.decoders import MemoryBudget
from worker.photos.decoding_limits import LEAST_MEMORY, MOST_MEMORY, decoding_limits


def test_photos_share_a_budget_in_the_order_in_which_they_ask() -> None:
    budget, order = MemoryBudget(10), list[int]()
    held, most = 0, 0
    lock = threading.Lock()

    def use(amount: int) -> None:
        nonlocal held, most
        with budget.take(amount):
            with lock:
                held += amount
                most = max(most, held)
                order.append(amount)
            time.sleep(0.001)
            with lock:
                held -= amount

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, [3, 10, 4, 1, 10, 6] * 5))
    assert most <= 10
    assert sorted(order) == sorted([3, 10, 4, 1, 10, 6] * 5)


@pytest.mark.parametrize(
    ("memory_mb", "cores", "processes", "memory_of_photos"),
    [
        (256, 8, 1, LEAST_MEMORY),
        (1_024, 2, 2, 374 << 20),
        (2_048, 2, 2, 988 << 20),
        (2_048, 16, 5, 628 << 20),
        (4_096, 2, 2, MOST_MEMORY),
        (65_536, 16, 16, MOST_MEMORY),
    ],
)
def test_processes_and_photos_fit_into_what_a_training_may_hold(
    memory_mb: int, cores: int, processes: int, memory_of_photos: int
) -> None:
    limits = decoding_limits(memory_mb, cores)
    assert (limits.processes, limits.memory >> 20) == (processes, memory_of_photos >> 20)


def test_the_limit_of_the_container_counts_where_none_is_set(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("2147483648\n")
    assert decoding_limits(None, 2, tmp_path) == decoding_limits(2_048, 2)
    (tmp_path / "memory.max").write_text("max\n")
    assert decoding_limits(None, 2, tmp_path) == decoding_limits(None, 2, tmp_path / "none")
