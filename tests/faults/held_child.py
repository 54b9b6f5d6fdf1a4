"""The stub child, which stays for ever in the stage that HOLD_AT names."""

import os
import signal

from tests.faults import stub_child
from worker.job.progress import Stage


def hold(stage: Stage) -> None:
    """Wait for ever if HOLD_AT names `stage`; the stub calls this at the start of each stage."""
    while stage == os.environ["HOLD_AT"]:
        signal.pause()


def main() -> None:
    setattr(stub_child, "strike", hold)  # noqa: B010
    stub_child.main()


if __name__ == "__main__":
    main()
