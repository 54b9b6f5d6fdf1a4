"""The real worker, whose training child is the module that CHILD_MODULE names."""

import os

from worker.cli.main import main
from worker.daemon import child_process

if __name__ == "__main__":
    child_process.MODULE = os.environ["CHILD_MODULE"]
    main()
