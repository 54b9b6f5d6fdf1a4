"""What this level does without, so that it takes seconds: Postgres, the converted backbone, TensorFlow and Node."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
HEAVY = {"tensorflow", "demo.node"}
ELSEWHERE = "tests/unit does without {}: move this test to tests/integration, or to tests/browser."


@pytest.fixture(scope="session")
def postgres_server() -> NoReturn:
    pytest.fail(ELSEWHERE.format("Postgres"))


@pytest.fixture(scope="session")
def cache() -> NoReturn:
    pytest.fail(ELSEWHERE.format("the converted backbone"))


@pytest.fixture(scope="session", autouse=True)
def workers_cache() -> None:
    """No worker is started here that would need one."""


@pytest.fixture(scope="module", autouse=True)
def light(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails where a module imported what this level does without."""
    # Tests of another level may have done so before, in this process.
    alone = all(HERE in item.path.parents for item in request.session.items)
    before = set() if alone else set(sys.modules)
    yield
    for module in (HEAVY - before) & sys.modules.keys():
        pytest.fail(ELSEWHERE.format(module))
