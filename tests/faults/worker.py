"""The real worker with another training child: `python -m tests.faults.worker run`.

TRAINING names the child: `stub` only reports stages and publishes a stub model, `real` is the worker's own child
with faults. With FAULT, `<stage>:<who>:<signal>`, the child sends a signal to itself (`child`) or to the daemon
(`daemon`) at the start of that stage. ANSWER_SECONDS is how long it waits for the output. The worker itself contains
none of this.
"""

import os

from worker.cli.main import main
from worker.daemon import answer, child_process

if __name__ == "__main__":
    child_process.MODULE = f"tests.faults.{os.environ.get('TRAINING', 'stub')}_child"
    answer.ANSWER_SECONDS = float(os.environ.get("ANSWER_SECONDS", answer.ANSWER_SECONDS))
    main()
