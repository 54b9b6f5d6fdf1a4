"""The vocabulary of the log: every event has one of these names and nothing else is logged."""

from enum import StrEnum


class Event(StrEnum):
    """Names of log events; docs/logs.md says of each when it is written and with which fields."""

    WORKER_STARTED = "worker_started"
    WORKER_STOPPING = "worker_stopping"
    WORKER_STOPPED = "worker_stopped"
    DATABASE_LOST = "database_lost"
    DATABASE_BACK = "database_back"
    LISTENING = "listening"
    LISTEN_LOST = "listen_lost"
    MIGRATION_APPLIED = "migration_applied"
    MIGRATIONS_CURRENT = "migrations_current"
    JOB_CLAIMED = "job_claimed"
    STAGE_STARTED = "stage_started"
    STAGE_FINISHED = "stage_finished"
    EPOCH_FINISHED = "epoch_finished"
    PHOTO_SKIPPED = "photo_skipped"
    CHILD_STARTED = "child_started"
    CHILD_OUTPUT = "child_output"
    CHILD_DIED = "child_died"
    MODEL_PUBLISHED = "model_published"
    JOB_COMPLETED = "job_completed"
    JOB_FAILED = "job_failed"
    JOB_RETRIED = "job_retried"
    JOB_CANCELLED = "job_cancelled"
    JOB_RESCUED = "job_rescued"
    ORPHAN_REMOVED = "orphan_removed"
    JOB_RELEASED = "job_released"
    LEASE_LOST = "lease_lost"
