"""The tests, by what they need: tests/unit, tests/integration, tests/browser and tests/faults."""

import os

# Several processes test at once: threads of linear algebra that wait for each other's core take many times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
