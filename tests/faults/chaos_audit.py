"""Checks the invariants after a chaos run; each violation is a loss, described in a sentence."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.chaos_backend import ENDINGS, POISONER
from tests.faults.chaos_history import Change
from tests.faults.stub_child import FILES
from tests.support.registered import assert_audit_holds
from tests.support.shop import Shop
from worker.events import Event
from worker.registry.folder import STAGING

ENDED = ("Completed", "Failed", "Cancelled")
# Where a job may go from each status; nobody cancels a job or has one tried again here.
LEGAL = {"Pending": {"Running"}, "Running": {"Pending", *ENDED}} | {status: set() for status in ENDED}
# And one that another job takes along.
LEGAL_COALESCED = LEGAL | {"Pending": {"Running", "Completed"}}

Row = dict[str, Any]


@dataclass(frozen=True)
class Audit:
    """The end of a run: the shop, its jobs' rows and their changes, each worker's log, the pruned versions, and
    those whose rows a fail-over lost."""

    shop: Shop
    jobs: Sequence[Row]
    history: Mapping[UUID, Sequence[Change]]
    logs: Mapping[Path, str]
    pruned: frozenset[str]
    forgotten: frozenset[str]

    def events(self) -> list[list[Row]]:
        """The readable events of each worker's log."""
        return [[event for _, event in _parse(text) if event] for text in self.logs.values()]

    def orphans(self) -> list[Path]:
        """Published folders without a row: their jobs completed with another version, so an operator must decide."""
        versions = {job["ResultModelVersion"] for job in self.jobs}
        return [path for path in sorted(self.shop.models.glob("v*")) if path.name not in versions]

    def reservations(self) -> list[Path]:
        """Empty reservations of unpublished versions, which a dead worker holds for an hour."""
        models = self.shop.models
        return [
            path for path in self._staged() if not any(path.iterdir()) and not (models / path.name).exists()
        ]

    def losses(self) -> Iterator[str]:
        """Yield a sentence for every violated invariant."""
        for job in self.jobs:
            yield from self._of_job(job)
            if job["Status"] == "Completed" and job["ResultModelVersion"] not in self.pruned:
                folder = self.shop.models / job["ResultModelVersion"]
                made_by = job["coalesced_into"] or str(job["Id"])
                yield from _of_folder(folder, {"job_id": made_by, "version": folder.name})
        yield from self._of_models()
        yield from self._of_orphans()
        reserved = self.reservations()
        if left := [path.name for path in self._staged() if path not in reserved]:
            yield f"{len(left)} staged folders were left behind: {left}"
        for log, text in self.logs.items():
            yield from _of_log(log, text)

    def _of_job(self, job: Row) -> Iterator[str]:
        name, changes = f"job {job['Id']}", self.history.get(job["Id"], [])
        legal = LEGAL_COALESCED if job["coalesced_into"] else LEGAL
        if illegal := [change for change in changes if change.new not in legal[change.old]]:
            yield f"{name} went where it may not: {illegal}"
        if job["InitiatedBy"] == POISONER:
            if (job["Status"], job["ErrorCode"]) not in ENDINGS:
                yield f"the odd {name} is {job['Status']}: {job['ErrorCode']} {job['ErrorMessage']}"
            return
        if job["Status"] != "Completed":
            yield f"{name} is {job['Status']}: {job['ErrorCode']} {job['ErrorMessage']}"
        completions = sum(change.new == "Completed" for change in changes)
        if completions != 1:
            yield f"{name} was completed {completions} times"
        claims = sum(change.new == "Running" for change in changes)
        # No worker was asked to stop while there were jobs, so that every claim counts as an attempt.
        least = 0 if job["coalesced_into"] else 1
        if not least <= job["AttemptCount"] == job["LeaseVersion"] == claims:
            yield f"{name} was claimed {claims} times, but has {job['AttemptCount']} attempts"

    def _of_models(self) -> Iterator[str]:
        models = self.shop.models_in_database()
        made = [job for job in self.jobs if job["Status"] == "Completed" and not job["coalesced_into"]]
        results = Counter(job["ResultModelVersion"] for job in made)
        started = [
            event for events in self.events() for event in events if event["event"] == Event.WORKER_STARTED
        ]
        earlier = {event["worker"] for event in started if "version" not in event}
        # Workers 0.1 give a new model the name of one that was pruned.
        for version in {job["ResultModelVersion"] for job in made if job["WorkerId"] in earlier}:
            results[version] = 1
        known = Counter(model["Version"] for model in models)
        if results != known + Counter(self.pruned):
            yield (
                f"{len(models)} models, {len(self.pruned)} pruned ones and {results.total()} completed jobs do not fit "
                "together"
            )
        if (active := sum(model["IsActive"] for model in models)) != 1:
            yield f"{active} models are active"
        try:
            assert_audit_holds(self.shop)
        except AssertionError as error:
            yield f"the audit of the active model does not hold: {error}"

    def _of_orphans(self) -> Iterator[str]:
        unexplained = Counter(job for events in self.events() for job in _ended_at_the_commit(events))
        for orphan in self.orphans():
            if orphan.name in self.forgotten:
                continue
            job_id = json.loads((orphan / "metadata.json").read_text())["job_id"]
            yield from _of_folder(orphan, {"job_id": job_id, "version": orphan.name})
            unexplained[job_id] -= 1
            if unexplained[job_id] < 0:
                yield f"{orphan} has no row, and no worker of its job ended between rename and commit"

    def _staged(self) -> list[Path]:
        return sorted(self.shop.models.glob(f"{STAGING}/*"))


def _ended_at_the_commit(events: Sequence[Row]) -> Iterator[str]:
    """Yield the jobs that a worker trained without logging their end."""
    trained = None
    for event in events:
        match event["event"]:
            case Event.STAGE_FINISHED if event["stage"] == "deploy":
                trained = event["job_id"]
            case Event.LEASE_LOST if trained:
                yield trained
                trained = None
            case Event.JOB_CLAIMED | Event.JOB_COMPLETED:
                trained = None
    if trained:
        yield trained


def _of_folder(folder: Path, content: dict[str, str]) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{folder} is not there, but its row is"
        return
    for name in FILES:
        try:
            found = json.loads((folder / name).read_text())
        except (OSError, ValueError) as error:
            yield f"{folder / name} is torn: {error}"
        else:
            if not content.items() <= found.items():
                yield f"{folder / name} is of another job: {found}"


def _of_log(log: Path, text: str) -> Iterator[str]:
    for line, event in _parse(text):
        if event is None:
            yield f"{log} has a line that is no event: {line}"
        # A child may fail on its removed folder once another worker holds its job.
        elif "Traceback" in line and event["event"] != Event.CHILD_DIED:
            yield f"{log} has a stack trace: {line}"


def _parse(text: str) -> Iterator[tuple[str, Row | None]]:
    """Yield each complete line with its event, `None` where it is not JSON."""
    whole, _, _ = text.rpartition("\n")
    for line in whole.splitlines():
        try:
            yield line, json.loads(line)
        except ValueError:
            yield line, None
