"""`make demo`: the whole process, from a backend's rows to the recognition of a photo in a browser."""

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row, scalar_row
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo import node
from demo.draw_catalogue import draw_catalogue
from demo.embedded_postgres import EmbeddedPostgres
from demo.serve import serve
from demo.shop import QUERIES, Laid, lay_down
from demo.worker_process import migrate, read_log, worker
from worker.report.wording import RECOGNISES_NOTHING

OUTPUT = Path("demo-output").absolute()
LOG = OUTPUT / "worker.log"
POLL_SECONDS = 0.2
console = Console(highlight=False)


@dataclass(frozen=True)
class Row:
    """The columns of a job that a backend shows."""

    status: str
    percentage: int
    stage: str | None
    seconds_left: float | None
    seconds: float | None
    total: float | None
    error_code: str | None
    error_message: str | None
    version: str | None


def main() -> None:
    """Run the demo in `demo-output/`, which is emptied first."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    photos = photos_folder()
    with (
        EmbeddedPostgres() as postgres,
        psycopg.connect(postgres.create_database("shop"), autocommit=True) as shop,
    ):
        environment = {
            "DATABASE_URL": postgres.url("shop"),
            "STORAGE_PATH": str(OUTPUT / "storage"),
            "OUTPUT_PATH": str(OUTPUT / "models"),
            "HEALTH_FILE": str(OUTPUT / "worker-health"),
        }
        migrate(environment)
        laid = lay_down(photos, OUTPUT / "storage", shop)
        console.print(f"A shop with {laid.photos} photos of {laid.products} products asks for a model.")
        row = train(environment, shop)
    if row.version is None:
        sys.exit(f"The job is {row.status}: {row.error_code}: {row.error_message}\nIts log is {LOG}")
    model = OUTPUT / "models" / row.version
    tell(row, model)
    if os.environ.get("SERVE", "1") != "0":
        show(model, laid)


def photos_folder() -> Path:
    """The folder that PHOTOS names, or one with a newly drawn catalogue."""
    if given := os.environ.get("PHOTOS"):
        folder = Path(given)
        if not folder.is_dir():
            sys.exit(
                f"PHOTOS={given} is not a folder; it must hold one folder for each product, named by its SKU."
            )
        return folder
    drawn = OUTPUT / "drawn-photos"
    with console.status("Drawing a catalogue; PHOTOS=dir takes real photos, one folder for each product"):
        draw_catalogue(drawn)
    return drawn


def train(environment: dict[str, str], shop: psycopg.Connection[Any]) -> Row:
    """Insert a job as a backend would, start the daemon, and show the row until the job ends."""
    with worker(environment, LOG) as process, progress_bar() as bar:
        with shop.cursor(row_factory=scalar_row) as cursor:
            job = cursor.execute(QUERIES["insert_job"]).fetchone()
        task = bar.add_task("Waiting for a worker", total=100, left="")
        while True:
            row = read_row(shop, job)
            bar.update(task, completed=row.percentage, description=row.stage or "Waiting", left=left(row))
            if row.status not in ("Pending", "Running"):
                return row
            if process.poll() is not None:
                sys.exit(f"The worker ended with exit status {process.returncode}; its log is {LOG}")
            time.sleep(POLL_SECONDS)


def read_row(shop: psycopg.Connection[Any], job: object) -> Row:
    with shop.cursor(row_factory=class_row(Row)) as cursor:
        row = cursor.execute(QUERIES["read_job"], {"id": job}).fetchone()
    assert row
    return row


def left(row: Row) -> str:
    return "" if row.seconds_left is None else f"about {max(1, round(row.seconds_left))} s left"


def progress_bar() -> Progress:
    return Progress(
        BarColumn(30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", style="cyan"),
        TextColumn("{task.description}"),
        console=console,
    )


def tell(row: Row, model: Path) -> None:
    """Print the result: accuracy, seconds per stage, files."""
    events = read_log(LOG)
    completed = next(event for event in events if event["event"] == "job_completed")
    console.print(f"\n{in_words(completed['accuracy'])}")
    chosen = next(event for event in events if event["event"] == "backbone_chosen")
    console.print(
        f"It looks at photos with {chosen['backbone']} ({chosen['weights']}). {chosen['reason']}",
        markup=False,
    )
    if json.loads((model / "metadata.json").read_text(encoding="utf-8"))["backbone"]["recognises_nothing"]:
        console.print(f"[bold red]{RECOGNISES_NOTHING}")
    table = Table("stage", "seconds", title=f"{row.seconds:.1f} s from claim to model", title_justify="left")
    table.columns[1].justify = "right"
    for event in events:
        if event["event"] == "stage_finished" and event["job_id"] == completed["job_id"]:
            table.add_row(event["stage"], f"{event['seconds']:.1f}")
    console.print(table)
    console.print(f"The model:  {model}")
    for file in sorted(path for path in model.rglob("*") if path.is_file()):
        console.print(f"  {file.relative_to(model)!s:32} {file.stat().st_size / 1e6:6.2f} MB")
    console.print(f"The report: {model / 'report.html'}")
    console.print(f"The log:    {LOG}")


def in_words(accuracy: Mapping[str, Any]) -> str:
    if accuracy["top1"] is None:
        return "[bold]The accuracy is unknown[/bold]: no product has photos of two occasions."
    return (
        f"[bold]Right about {accuracy['top1']:.1%}[/bold] of {accuracy['photos']} photos held out of training "
        f"({accuracy['top1_low']:.1%} to {accuracy['top1_high']:.1%} with 95% confidence, "
        f"{accuracy['top3']:.1%} among the first three), of {accuracy['products']} products."
    )


def show(model: Path, laid: Laid) -> None:
    """Serve the page until Ctrl-C."""
    with console.status("Setting up the page"):
        node.install()
    with serve(model, laid.kept_back) as server:
        console.print(f"\nDrop a photo on [bold]{server.url}[/bold] (Ctrl-C ends the demo)")
        try:
            server.wait()
        except KeyboardInterrupt:
            console.print("Bye.")


if __name__ == "__main__":
    main()
