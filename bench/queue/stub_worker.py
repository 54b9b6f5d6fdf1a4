"""The real worker, whose training child is the module that CHILD_MODULE names."""

import os

from worker.child import process
from worker.cli import main

if __name__ == "__main__":
    process.MODULE = os.environ["CHILD_MODULE"]
    main()
