"""Folders that vanish while a worker runs, removed by another worker or by hand."""

import asyncio
import shutil
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.backend import (
    insert_active_model,
    insert_job,
    models_locked,
    staged,
    status,
    wait_for_deploy,
)
from tests.faults.workers import Workers
from tests.support.orphans import remove_all
from tests.support.shop import Shop
from worker.registry.folder import STAGING, discard, reserve
from worker.registry.orphans import Known, Orphans

LOOKS = 500


def test_a_model_whose_files_were_tidied_away_does_not_become_the_active_one(
    shop: Shop, workers: Workers
) -> None:
    insert_active_model(shop)
    before = shop.models_in_database()
    job_id = insert_job(shop, max_attempts=1)
    with models_locked(shop):
        workers.start()
        wait_for_deploy(shop)
        shutil.rmtree(shop.models / STAGING)
    job = status(shop, job_id, "Completed", "Failed")
    assert (job["Status"], job["ResultModelVersion"]) == ("Failed", None)
    assert shop.models_in_database() == before
    assert staged(shop) == []


async def test_a_worker_starts_while_others_reserve_and_give_up_versions(tmp_path: Path) -> None:
    done = threading.Event()

    def others(start: int) -> None:
        second = 0
        while not done.is_set():
            second = (second + 1) % 50
            discard(reserve(tmp_path, datetime.fromtimestamp(start + second, UTC), "theirs"))

    now = datetime.fromtimestamp(1_700_000_000, UTC)

    async def yes(names: Sequence[str]) -> Sequence[str]:
        await asyncio.sleep(0)
        return names

    threads = [threading.Thread(target=others, args=(1_700_000_000 + 1000 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(LOOKS):
            assert await remove_all(tmp_path, now, Known(yes, yes, yes, yes)) == Orphans([], [])
    finally:
        done.set()
        for thread in threads:
            thread.join()
