"""A worker is ready, which its health file says, from its first look at everything on, but not in a long outage."""

from pathlib import Path

import pytest

from tests.support.in_process import daemon_of
from tests.support.waiting import wait_until
from worker.daemon import main_loop
from worker.daemon.main_loop import Daemon
from worker.database.connection import OUTAGE, Database
from worker.settings import Settings, load_settings


async def test_a_worker_is_ready_until_an_outage_has_gone_on_for_a_while(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with daemon_of(database, tmp_path) as daemon:
        assert daemon.is_ready
        daemon.database.outage.goes_on("the server is gone")
        assert daemon.is_ready, "it may be back in a moment"
        monkeypatch.setattr(main_loop, "LOST_SECONDS", 0.01)
        wait_until(lambda: not daemon.is_ready, "the outage to go on for a while")
        async with daemon.database.transaction():
            pass
        assert daemon.is_ready


async def test_a_worker_that_never_met_its_database_is_not_ready(tmp_path: Path) -> None:
    paths = {"storage_path": tmp_path / "storage", "output_path": tmp_path / "models"}
    settings = load_settings(Settings, database_url="host=127.0.0.1 port=1", **paths)
    async with Database(settings.database_url) as pool:
        daemon = Daemon(settings, pool, None)  # type: ignore[arg-type]
        with pytest.raises(OUTAGE, match="refused"):
            await daemon.begin()
        assert not daemon.is_ready
        assert pool.outage.seconds > 0
