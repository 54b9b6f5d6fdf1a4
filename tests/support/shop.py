"""A backend's side of a test: its database, its storage, and its worker."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

ROOT = Path(__file__).parents[2]

# What a connection executes before it writes to the columns of the worker in "TrainingJobs".
AS_WORKER: LiteralString = "SELECT set_config('training_worker.worker_id', 'a test', false)"

Rows = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Shop:
    """The database and folders that backend and worker share.

    `environment` adds to the worker's settings; `code` is the folder with its sources, where they are not today's.
    """

    database: str
    storage: Path
    models: Path
    environment: dict[str, str] = field(default_factory=dict)
    code: Path = ROOT

    def connect(self) -> Rows:
        return psycopg.connect(self.database, autocommit=True, row_factory=dict_row)

    def insert_job(self, options: object = None) -> UUID:
        with self.connect() as connection:
            row = connection.execute(
                'INSERT INTO "TrainingJobs" ("Options") VALUES (%s) RETURNING "Id"', (Jsonb(options or {}),)
            ).fetchone()
        assert row
        job: UUID = row["Id"]
        return job

    def job(self, job_id: UUID) -> dict[str, Any]:
        with self.connect() as connection:
            row = connection.execute('SELECT * FROM "TrainingJobs" WHERE "Id" = %s', (job_id,)).fetchone()
        assert row
        return row

    def models_in_database(self) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute('SELECT * FROM "ModelMetadata" ORDER BY "TrainedAt"').fetchall()

    def worker(
        self, *arguments: str, module: str = "worker", log_file: str = "", **settings: str
    ) -> "subprocess.Popen[str]":
        """Start `worker …` for this shop; append its log, in JSON lines, to `log_file`, or pipe it without one."""
        environment = {
            "DATABASE_URL": self.database,
            "STORAGE_PATH": str(self.storage),
            "OUTPUT_PATH": str(self.models),
            "HEALTH_FILE": str(self.models.with_name("worker-health")),
        }
        with open(log_file or os.devnull, "a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=os.environ | environment | self.environment | settings,
                stdout=log if log_file else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=self.code,
            )
