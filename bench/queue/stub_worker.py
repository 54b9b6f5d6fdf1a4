"""The real worker, with the module that CHILD_MODULE names as its training child."""

import os

from worker.cli.main import main
from worker.daemon import child_process

if __name__ == "__main__":
    child_process.MODULE = os.environ["CHILD_MODULE"]
    main()
