"""`python -m worker`, the same as the command `worker`: minds signals from its first moment."""

import signal
import sys


def main() -> None:
    """Run the command line, which takes a moment to import."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # A container's first process does not even get a signal that it has no handler for.
        signal.signal(number, _stop)
    from worker.cli.main import main as run_command_line

    run_command_line()


def _stop(number: int, frame: object) -> None:
    """Before `worker run` listens to signals itself, nothing has begun; any other command is cut short."""
    sys.exit(0 if sys.argv[1:2] == ["run"] else 128 + number)


if __name__ == "__main__":
    main()
