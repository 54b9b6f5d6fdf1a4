"""The worker of an earlier version: its sources, its migrations and the stub child of its own tests.

`releases/0.1.0.tar.xz` holds them, so that no test needs the history. It was made at that version's last commit by
    git archive HEAD worker migrations tests/__init__.py tests/faults/{__init__,worker,stub_child,stub_model,fault}.py |
        xz -9e > 0.1.0.tar.xz
"""

import tarfile
from dataclasses import replace
from pathlib import Path

from tests.support.shop import Shop
from tests.support.waiting import DEADLINE

RELEASES = Path(__file__).with_name("releases")
BEFORE = "0.1.0"


def unpack(folder: Path) -> Path:
    """Unpack the worker of BEFORE into `folder`, and return the folder in which `python -m` finds it."""
    with tarfile.open(RELEASES / f"{BEFORE}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def migrate_as(code: Path, shop: Shop) -> str:
    """Run `worker migrate` of the worker in the folder `code`, which must succeed; return its log."""
    process = replace(shop, code=code).worker("migrate")
    log, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, log
    return str(log)
