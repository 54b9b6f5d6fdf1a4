"""The main job on a set of real photos: seconds a stage, peak memory, accuracy reported and measured.

    python -m bench.main_job PHOTOS SET WEIGHTS

PHOTOS holds photos.csv, with the columns split, sku, name, file and one for each SET, beside `train/` and `val/`.
Only photos of the split `train` train; the model is measured on those of `val`, in a process of its own.
"""

import csv
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.rows import dict_row

from demo.embedded_postgres import EmbeddedPostgres
from demo.shop import QUERIES, lay_down
from demo.worker_process import migrate, read_log, worker

SAMPLE_SECONDS = 0.1


def main(photos: Path, name: str, weights: Path) -> dict[str, Any]:
    """Run the job in a temporary folder and say how it went."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres() as postgres:
        work = Path(folder)
        link_set(photos, name, work / "photos")
        environment = {
            "DATABASE_URL": postgres.create_database("shop"),
            "STORAGE_PATH": str(work / "storage"),
            "OUTPUT_PATH": str(work / "models"),
            "HEALTH_FILE": str(work / "health"),
            "BASE_WEIGHTS": str(weights.absolute()),
        }
        migrate(environment)
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True, row_factory=dict_row) as shop:
            laid = lay_down(work / "photos", work / "storage", shop, keep_back=0)
            with worker(environment, work / "log") as process:
                # A daemon that is ready, as it is when a backend inserts a row.
                while '"listening"' not in (work / "log").read_text():
                    time.sleep(0.05)
                memory = PeakMemory(process.pid)
                row = finished_job(shop)
        events = read_log(work / "log")
        model = work / "models" / row["version"]
        measured = subprocess.run(
            [sys.executable, "-m", "bench.measure", str(model), str(photos / "val")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return {
            "set": name,
            "products": laid.products,
            "photos": laid.photos,
            "seconds": round(row["total"], 1),
            "stages": {e["stage"]: e["seconds"] for e in events if e["event"] == "stage_finished"},
            "peak_memory_gb": round(memory.peak / 1e9, 2),
            "reported": next(e["accuracy"] for e in events if e["event"] == "job_completed"),
            "measured": json.loads(measured.stdout),
        }


def link_set(photos: Path, name: str, folder: Path) -> None:
    """Make a folder a product, with links to the photos of a set."""
    with (photos / "photos.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train" and row[name] == "1"]
    for row in rows:
        (folder / row["sku"]).mkdir(parents=True, exist_ok=True)
        (folder / row["sku"] / Path(row["file"]).name).symlink_to((photos / row["file"]).absolute())


def finished_job(shop: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    """Insert a job and wait for its end; `total` is the seconds from insert to completion."""
    inserted = shop.execute(QUERIES["insert_job"]).fetchone()
    while True:
        row = shop.execute(QUERIES["read_job"], {"id": inserted and inserted["Id"]}).fetchone()
        assert row
        if row["status"] == "Completed":
            return row
        if row["status"] == "Failed":
            sys.exit(f"{row['error_code']}: {row['error_message']}")
        time.sleep(SAMPLE_SECONDS)


class PeakMemory:
    """Samples the memory of a process and all below it; pages that they share count once."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        threading.Thread(target=self._sample, args=(psutil.Process(pid),), daemon=True).start()

    def _sample(self, root: psutil.Process) -> None:
        while True:
            try:
                processes = [root, *root.children(recursive=True)]
                self.peak = max(self.peak, sum(process.memory_full_info().pss for process in processes))
            except psutil.NoSuchProcess:
                if not root.is_running():
                    return
            time.sleep(SAMPLE_SECONDS)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])), indent=2))
