-- Every statement on "TrainingJobs". All writes but the claim and the rescue name "Id" and "LeaseVersion":
-- a write that changes no row means that the worker no longer holds the job.

-- name: claim
-- Claims the oldest due job of the highest priority, or the given one; skips a job that another worker is
-- claiming.
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
    "MaxAttempts" AS max_attempts, "Options" AS options, "StartedAt" AS started_at,
    now() - greatest("CreatedAt", "RunAfter") AS waited;

-- name: rescue
-- Puts back or fails the jobs whose lease has run out. Checks status and lease again under the row's lock;
-- skips a row that its worker is writing at this moment.
UPDATE "TrainingJobs" AS job
SET "Status" = CASE WHEN exhausted THEN 'Failed' ELSE 'Pending' END,
    "CompletedAt" = CASE WHEN exhausted THEN now() END,
    "DurationSeconds" = CASE WHEN exhausted THEN extract(epoch FROM now() - job."StartedAt") END,
    "ErrorCode" = CASE WHEN exhausted THEN %(error_code)s END,
    "ErrorMessage" = CASE
        WHEN exhausted
        THEN 'The worker ' || job."WorkerId" || ' was not heard of any more, and this was attempt '
            || job."AttemptCount" || ' of ' || job."MaxAttempts" || '.'
    END,
    "CurrentStage" = 'The worker ' || job."WorkerId" || ' was not heard of any more',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "UpdatedAt" = now()
FROM (
    SELECT "Id", "AttemptCount" >= "MaxAttempts" AS exhausted
    FROM "TrainingJobs"
    WHERE "Status" = 'Running' AND "LeasedUntil" < now()
    FOR UPDATE SKIP LOCKED
) AS lost
WHERE job."Id" = lost."Id" AND job."Status" = 'Running' AND job."LeasedUntil" < now()
RETURNING job."Id" AS job_id, job."LeaseVersion" AS lease_version, job."Status" AS status,
    job."WorkerId" AS worker_id, job."AttemptCount" AS attempt;

-- name: seconds_until_next
-- Seconds until a pending job is due or a running job's lease ends.
SELECT extract(epoch FROM least(
    (SELECT min("RunAfter") FROM "TrainingJobs" WHERE "Status" = 'Pending'),
    (SELECT min("LeasedUntil") FROM "TrainingJobs" WHERE "Status" = 'Running')
) - now())::float;

-- name: renew
-- Writes progress and extends the lease in one statement, so that a job with new progress is always held.
UPDATE "TrainingJobs"
SET "ProgressPercentage" = greatest("ProgressPercentage", %(percentage)s),
    "CurrentStage" = %(current_stage)s,
    "EstimatedCompletionAt" = now() + make_interval(secs => %(seconds_left)s),
    "LeasedUntil" = now() + make_interval(secs => %(lease_seconds)s),
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
RETURNING "CancelRequestedAt" IS NOT NULL;

-- name: complete
-- Changes no row after a cancel request: the request came first.
UPDATE "TrainingJobs"
SET "Status" = 'Completed',
    "ProgressPercentage" = 100,
    "CurrentStage" = 'Completed',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = extract(epoch FROM now() - "StartedAt"),
    "ResultModelVersion" = %(version)s,
    "Result" = %(result)s,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
  AND "CancelRequestedAt" IS NULL;

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
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
RETURNING "Status";

-- name: retry
-- The error stays readable while the job waits.
UPDATE "TrainingJobs"
SET "Status" = 'Pending',
    "RunAfter" = now() + make_interval(secs => %(delay_seconds)s),
    "ProgressPercentage" = 0,
    "CurrentStage" = 'Waiting to try again',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "ErrorCode" = %(error_code)s,
    "ErrorMessage" = %(error_message)s,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
RETURNING "Status";

-- name: cancel
UPDATE "TrainingJobs"
SET "Status" = 'Cancelled',
    "CurrentStage" = 'Cancelled',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = extract(epoch FROM now() - "StartedAt"),
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running';

-- name: release
-- A requested stop does not count as an attempt, up to max_interruptions times.
UPDATE "TrainingJobs"
SET "Status" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN 'Pending' ELSE 'Failed' END,
    "AttemptCount" = "AttemptCount" - 1,
    "InterruptionCount" = "InterruptionCount" + 1,
    "ProgressPercentage" = 0,
    "CurrentStage" = 'Waiting for a worker: the last one was stopped',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL ELSE now() END,
    "DurationSeconds" = CASE
        WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL
        ELSE extract(epoch FROM now() - "StartedAt")
    END,
    "ErrorCode" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL ELSE %(error_code)s END,
    "ErrorMessage" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL ELSE %(error_message)s END,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
RETURNING "Status";

-- name: look
-- Runs more often than the renewal, and where a job's state is unknown.
SELECT "Status" AS status, "LeaseVersion" AS lease_version,
    "CancelRequestedAt" IS NOT NULL AS cancel_requested
FROM "TrainingJobs" WHERE "Id" = %(job_id)s;

-- name: is_result
-- Whether a job has completed with this model; for versions that a prune left half removed.
SELECT EXISTS (SELECT FROM "TrainingJobs" WHERE "ResultModelVersion" = %(version)s);
