-- Every statement on "TrainingJobs". All but the claim name "Id" and "LeaseVersion": one that changes
-- no row means that the job is no longer ours.

-- name: claim
-- The oldest due job of the highest priority, or the one given; one that another worker is claiming
-- is passed over.
UPDATE "TrainingJobs" AS job
SET "Status" = 'Running',
    "LeaseVersion" = job."LeaseVersion" + 1,
    "AttemptCount" = job."AttemptCount" + 1,
    "LeasedUntil" = now() + make_interval(secs => %(lease_seconds)s),
    "WorkerId" = %(worker_id)s,
    "StartedAt" = now(),
    "CompletedAt" = NULL,
    "DurationSeconds" = NULL,
    "EstimatedCompletionAt" = NULL,
    "ErrorCode" = NULL,
    "ErrorMessage" = NULL,
    "ProgressPercentage" = 0,
    "CurrentStage" = 'Starting',
    "UpdatedAt" = now()
WHERE job."Id" = (
    SELECT "Id"
    FROM "TrainingJobs"
    WHERE "Status" = 'Pending'
      AND CASE WHEN %(job_id)s::uuid IS NULL THEN "RunAfter" <= now() ELSE "Id" = %(job_id)s::uuid END
    ORDER BY "Priority" DESC, "CreatedAt", "Id"
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING "Id" AS job_id, "LeaseVersion" AS lease_version, "AttemptCount" AS attempt,
    "Options" AS options, "StartedAt" AS started_at, now() - "CreatedAt" AS waited;

-- name: renew
-- Progress and the lease in one statement, so that a job that moves is a job that is held.
UPDATE "TrainingJobs"
SET "ProgressPercentage" = greatest("ProgressPercentage", %(percentage)s),
    "CurrentStage" = %(stage)s,
    "EstimatedCompletionAt" = now() + make_interval(secs => %(seconds_left)s),
    "LeasedUntil" = now() + make_interval(secs => %(lease_seconds)s),
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running';

-- name: complete
UPDATE "TrainingJobs"
SET "Status" = 'Completed',
    "ProgressPercentage" = 100,
    "CurrentStage" = 'Completed',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = extract(epoch FROM now() - "StartedAt"),
    "ResultModelVersion" = %(version)s,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running';

-- name: fail
UPDATE "TrainingJobs"
SET "Status" = 'Failed',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = extract(epoch FROM now() - "StartedAt"),
    "ErrorCode" = %(error_code)s,
    "ErrorMessage" = %(error_message)s,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running';

-- name: release
-- A stop that was asked for gives the attempt back.
UPDATE "TrainingJobs"
SET "Status" = 'Pending',
    "AttemptCount" = "AttemptCount" - 1,
    "ProgressPercentage" = 0,
    "CurrentStage" = 'Waiting for a worker: the last one was stopped',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "StartedAt" = NULL,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running';

-- name: status
-- For `worker train`, to say why a given job could not be claimed.
SELECT "Status" FROM "TrainingJobs" WHERE "Id" = %(job_id)s;

-- name: completed_here
-- Asked when the connection broke at the commit: was it ours that went through?
SELECT EXISTS (
    SELECT FROM "TrainingJobs"
    WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Completed'
);
