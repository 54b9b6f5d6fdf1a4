"""Fixtures of the fault tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.workers import Workers
from tests.support.shop import Shop


@pytest.fixture
def workers(shop: Shop, tmp_path: Path) -> Iterator[Workers]:
    """Starts workers for the shop; kills them and their children at the test's end."""
    workers = Workers(shop, tmp_path)
    yield workers
    workers.end()
