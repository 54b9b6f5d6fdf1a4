"""The real worker, whose training child is replaced: `python -m tests.faults.worker run`.

TRAINING says by what: `stub` trains nothing but stages, reports and is published like a model; `real` is the
worker's own child. FAULT, `<stage>:<who>:<signal>`, has the child send a signal to itself (`child`) or to
the daemon (`daemon`) when that stage starts. Nothing of this is in the worker itself.
"""

import os

from worker.cli.main import main
from worker.daemon import child_process

if __name__ == "__main__":
    child_process.MODULE = f"tests.faults.{os.environ.get('TRAINING', 'stub')}_child"
    main()
