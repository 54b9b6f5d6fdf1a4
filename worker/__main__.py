"""`python -m worker`, the same as the command `worker`: handles signals from its first moment."""

import signal
import sys


def main() -> None:
    """Install signal handlers, then import and run the command line; the import takes a moment."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # The kernel drops signals to a container's first process (PID 1) that it has no handler for.
        signal.signal(number, _stop)
    from worker.cli.main import main as run_command_line

    run_command_line()


def _stop(number: int, frame: object) -> None:
    """Exit with 0 for `worker run`, which has not begun any work yet; with 128 + `number` for other commands."""
    sys.exit(0 if sys.argv[1:2] == ["run"] else 128 + number)


if __name__ == "__main__":
    main()
