"""Measures a lower bound for the time of a first job: decode every photo once, and run the backbone on each view.

    python -m bench.train.floor PHOTOS_FOLDER BACKBONE BASE_WEIGHTS CACHE VIEWS

PHOTOS_FOLDER holds one folder for each product, CACHE the converted backbone; BACKBONE and BASE_WEIGHTS are as in the
worker's settings. Prints the seconds.
"""

import json
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.decode_photo import decode_photo
from bench.train.backbones import AskedBackbone
from worker.backbone.backbone import Backbone
from worker.backbone.engine import litert_engine
from worker.cores import usable_cores

THREADS = usable_cores()


def floor_seconds(photos: Sequence[Path], backbone: Backbone, views: int) -> float:
    """Seconds for all photos, with one thread per core, whose engines are already warm."""
    own = threading.local()
    ready = threading.Barrier(THREADS + 1)

    def start() -> None:
        own.forward = litert_engine(backbone)
        # An engine's first run is slower than all others.
        own.forward(np.zeros((1, 224, 224, 3), np.uint8))

    def look(photo: Path) -> None:
        pixels = decode_photo(photo)
        # Real views have different pixels, but the same cost.
        own.forward(np.stack([pixels] * views))

    with ThreadPoolExecutor(THREADS, initializer=start) as threads:
        for _ in range(THREADS):
            threads.submit(ready.wait)
        ready.wait()
        started = time.monotonic()
        list(threads.map(look, photos))
        return time.monotonic() - started


if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("*/*"))
    compiled = AskedBackbone(sys.argv[2], sys.argv[3]).converted(Path(sys.argv[4]))
    seconds = floor_seconds(files, compiled, int(sys.argv[5]))
    print(json.dumps({"seconds": seconds, "photos": len(files), "threads": THREADS}), flush=True)
