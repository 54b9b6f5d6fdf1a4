"""What the tests of faults share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.workers import Workers
from tests.support.shop import Shop


@pytest.fixture
def workers(shop: Shop, tmp_path: Path) -> Iterator[Workers]:
    """Starts workers beside the shop; none of them, and none of their children, outlives the test."""
    workers = Workers(shop, tmp_path)
    yield workers
    workers.end()
