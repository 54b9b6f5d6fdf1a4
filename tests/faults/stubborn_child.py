"""The stub child that stays in a stage and ignores SIGTERM."""

import signal

from tests.faults.held_child import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    main()
