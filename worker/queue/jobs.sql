-- Every statement on "TrainingJobs". All writes but claim, rescue, coalesce and prune name "Id", "LeaseVersion" and "WorkerId":
-- a write that changes no row means that the worker no longer holds the job. Every write sets
-- training_worker.worker_id for its transaction: the triggers of migration 0007 keep the worker's columns from anybody
-- else's. Numbers are bounded, so that no value of a column stops a statement; times leave the database as numbers,
-- which no setting of the database writes in another way.

-- name: claim
-- Claims a pending job, unless another session has locked its row or it was passed over. A job never has the same lease
-- version as at its last claim.
UPDATE "TrainingJobs" AS job
SET "Status" = 'Running',
    "LeaseVersion" = CASE WHEN job."LeaseVersion" < 9223372036854775807 THEN job."LeaseVersion" + 1 ELSE 1 END,
    "AttemptCount" = greatest(least(job."AttemptCount", 2147483646), 0) + 1,
    "LeasedUntil" = now() + make_interval(secs => %(lease_seconds)s),
    "WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true),
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
    WHERE "Status" = 'Pending' AND "Id" = %(job_id)s AND "Id" <> ALL (%(passed_over)s::uuid[])
    FOR UPDATE SKIP LOCKED
)
RETURNING "Id" AS job_id, "LeaseVersion" AS lease_version, "WorkerId" AS worker_id, "AttemptCount" AS attempt,
    "MaxAttempts" AS max_attempts, left("Options"::text, %(options_length)s) AS options,
    extract(epoch FROM now()) AS claimed_at,
    extract(epoch FROM now() - least(
        greatest("CreatedAt", "RunAfter", now() - interval '3650 days'), now()
    )) AS waited_seconds;

-- name: next_due
-- Locks the job to claim next, without a change: of the due ones with the highest priority, the one that has been due for
-- the longest. Goes down from priority to priority, each time to the first entry of one index, so that jobs in the future
-- cost nothing. From the hundredth priority on, it reads the index from end to end, which is cheaper than a step for each.
-- A recursive query yields its rows in the order in which it finds them, UNION ALL those of its first part first, and
-- both no more than are asked for.
WITH RECURSIVE priorities AS (
    (SELECT "Priority" AS priority, 1 AS number
        FROM "TrainingJobs" WHERE "Status" = 'Pending' ORDER BY "Priority" DESC LIMIT 1)
    UNION ALL
    SELECT lower."Priority", number + 1
    FROM priorities CROSS JOIN LATERAL (
        SELECT "Priority" FROM "TrainingJobs"
        WHERE "Status" = 'Pending' AND "Priority" < priorities.priority
        ORDER BY "Priority" DESC LIMIT 1
    ) AS lower
    WHERE number < 100
)
SELECT due."Id"
FROM priorities CROSS JOIN LATERAL (
    SELECT "Id" FROM "TrainingJobs"
    WHERE "Status" = 'Pending' AND "Priority" = priorities.priority AND "RunAfter" <= now()
      AND "Id" <> ALL (%(passed_over)s::uuid[])
    ORDER BY "RunAfter", "CreatedAt", "Id"
    LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS due
UNION ALL
SELECT due."Id"
FROM (
    SELECT "Id" FROM "TrainingJobs"
    WHERE "Status" = 'Pending' AND "Priority" < (SELECT min(priority) FROM priorities HAVING count(*) = 100)
      AND "RunAfter" <= now() AND "Id" <> ALL (%(passed_over)s::uuid[])
    ORDER BY "Priority" DESC, "RunAfter", "CreatedAt", "Id"
    LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS due
LIMIT 1;

-- name: rescue
-- Puts back or fails the jobs whose lease has run out, or the given one of them. Checks status and lease again under
-- the row's lock; skips a row that its worker is writing at this moment.
UPDATE "TrainingJobs" AS job
SET "Status" = CASE WHEN exhausted THEN 'Failed' ELSE 'Pending' END,
    "CompletedAt" = CASE WHEN exhausted THEN now() END,
    "DurationSeconds" = CASE WHEN exhausted THEN training_job_seconds(job."StartedAt") END,
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
      AND (%(job_id)s::uuid IS NULL OR "Id" = %(job_id)s::uuid)
      AND "Id" <> ALL (%(passed_over)s::uuid[])
    FOR UPDATE SKIP LOCKED
) AS lost CROSS JOIN set_config('training_worker.worker_id', %(worker_id)s, true)
WHERE job."Id" = lost."Id" AND job."Status" = 'Running' AND job."LeasedUntil" < now()
RETURNING job."Id" AS job_id, job."LeaseVersion" AS lease_version, job."Status" AS status,
    job."WorkerId" AS worker_id, job."AttemptCount" AS attempt, extract(epoch FROM now()) AS rescued_at;

-- name: next_lost
-- Locks one of the jobs that a rescue would take, without a change.
SELECT "Id"
FROM "TrainingJobs"
WHERE "Status" = 'Running' AND "LeasedUntil" < now() AND "Id" <> ALL (%(passed_over)s::uuid[])
ORDER BY "LeasedUntil"
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: seconds_until_next
-- Seconds until a pending job is due or a running job's lease ends, from 0 to a day; no row where there is neither.
-- Goes from priority to priority as above, and does not look below the hundredth: a worker polls, too.
WITH RECURSIVE priorities AS (
    (SELECT "Priority" AS priority, 1 AS number
        FROM "TrainingJobs" WHERE "Status" = 'Pending' ORDER BY "Priority" DESC LIMIT 1)
    UNION ALL
    SELECT lower."Priority", number + 1
    FROM priorities CROSS JOIN LATERAL (
        SELECT "Priority" FROM "TrainingJobs"
        WHERE "Status" = 'Pending' AND "Priority" < priorities.priority
        ORDER BY "Priority" DESC LIMIT 1
    ) AS lower
    WHERE number < 100
)
SELECT extract(epoch FROM greatest(least(next, now() + interval '1 day'), now()) - now())
FROM (SELECT least(
    (SELECT min(first."RunAfter") FROM priorities CROSS JOIN LATERAL (
        SELECT "RunAfter" FROM "TrainingJobs"
        WHERE "Status" = 'Pending' AND "Priority" = priorities.priority
          AND "Id" <> ALL (%(passed_over)s::uuid[])
        ORDER BY "RunAfter", "CreatedAt", "Id" LIMIT 1
    ) AS first),
    (SELECT min("LeasedUntil") FROM "TrainingJobs"
        WHERE "Status" = 'Running' AND "Id" <> ALL (%(passed_over)s::uuid[]))
) AS next) AS times
WHERE next IS NOT NULL;

-- name: renew
-- Writes progress and extends the lease in one statement, so that a job with new progress is always held.
UPDATE "TrainingJobs"
SET "ProgressPercentage" = greatest("ProgressPercentage", %(percentage)s),
    "CurrentStage" = %(current_stage)s,
    "EstimatedCompletionAt" = now() + make_interval(secs => %(seconds_left)s),
    "LeasedUntil" = now() + make_interval(secs => %(lease_seconds)s),
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
  AND "WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true)
RETURNING "CancelRequestedAt" IS NOT NULL;

-- name: complete
-- Changes no row after a cancel request: the request came first. Whoever completes a job holds "ModelMetadata", and waits
-- for nothing more: where another session has locked the row, this raises an error at once.
UPDATE "TrainingJobs" AS job
SET "Status" = 'Completed',
    "ProgressPercentage" = 100,
    "CurrentStage" = 'Completed',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = training_job_seconds(job."StartedAt"),
    "ResultModelVersion" = %(version)s,
    "Result" = %(result)s,
    "UpdatedAt" = now()
FROM (SELECT "Id" FROM "TrainingJobs" WHERE "Id" = %(job_id)s FOR UPDATE NOWAIT) AS locked
WHERE job."Id" = locked."Id" AND job."LeaseVersion" = %(lease_version)s AND job."Status" = 'Running'
  AND job."WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true)
  AND job."CancelRequestedAt" IS NULL;

-- name: same_jobs
-- The due pending jobs that want what a claimed job makes, with the versions of their rows (xmin). They are committed
-- already, so the training, which reads the products only after this, sees every edit before them. "CreatedAt" would
-- not tell: it may be the backend's clock, or the beginning of a transaction that is still open. Goes from priority to
-- priority as above.
WITH RECURSIVE priorities AS (
    (SELECT "Priority" AS priority FROM "TrainingJobs" WHERE "Status" = 'Pending' ORDER BY "Priority" DESC LIMIT 1)
    UNION ALL
    SELECT lower."Priority"
    FROM priorities CROSS JOIN LATERAL (
        SELECT "Priority" FROM "TrainingJobs"
        WHERE "Status" = 'Pending' AND "Priority" < priorities.priority
        ORDER BY "Priority" DESC LIMIT 1
    ) AS lower
)
SELECT other."Id" AS job_id, other.row_version, other."Options" -> 'force' = 'true' AS forced
FROM "TrainingJobs" AS mine CROSS JOIN priorities CROSS JOIN LATERAL (
    SELECT "Id", xmin::text AS row_version, "Options"
    FROM "TrainingJobs"
    WHERE "Status" = 'Pending' AND "Priority" = priorities.priority AND "RunAfter" <= mine."StartedAt"
      AND "CancelRequestedAt" IS NULL AND "Id" <> ALL (%(passed_over)s::uuid[])
    ORDER BY "RunAfter", "CreatedAt", "Id"
) AS other
WHERE mine."Id" = %(job_id)s
  AND CASE
      WHEN jsonb_typeof(other."Options") = 'object'
      THEN (%(defaults)s || other."Options") - %(aside)s::text[] = (%(defaults)s || mine."Options") - %(aside)s::text[]
          AND coalesce(other."Options" -> 'coalesce', 'true') = 'true'
          AND coalesce(other."Options" -> 'force', 'false') IN ('true', 'false')
  END
LIMIT %(most)s;

-- name: coalesce
-- Completes pending jobs with the result of the one that made it, as long as their rows are still as same_jobs saw them.
-- Waits for nobody: a row that somebody has locked stays, and is done by itself.
UPDATE "TrainingJobs" AS job
SET "Status" = 'Completed',
    "ProgressPercentage" = 100,
    "CurrentStage" = 'Completed',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = training_job_seconds(job."StartedAt"),
    "ErrorCode" = NULL,
    "ErrorMessage" = NULL,
    "ResultModelVersion" = %(version)s,
    "Result" = %(result)s,
    "UpdatedAt" = now()
FROM (
    SELECT waiting."Id"
    FROM "TrainingJobs" AS waiting
    JOIN unnest(%(job_ids)s::uuid[], %(row_versions)s::text[]) AS seen (job_id, row_version)
        ON waiting."Id" = seen.job_id AND waiting.xmin::text = seen.row_version
    WHERE waiting."Status" = 'Pending'
    FOR UPDATE OF waiting SKIP LOCKED
) AS same CROSS JOIN set_config('training_worker.worker_id', %(worker_id)s, true)
WHERE job."Id" = same."Id" AND job."Status" = 'Pending'
RETURNING job."Id";

-- name: fail
UPDATE "TrainingJobs"
SET "Status" = 'Failed',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = training_job_seconds("StartedAt"),
    "ErrorCode" = %(error_code)s,
    "ErrorMessage" = %(error_message)s,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
  AND "WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true)
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
  AND "WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true)
RETURNING "Status";

-- name: cancel
UPDATE "TrainingJobs"
SET "Status" = 'Cancelled',
    "CurrentStage" = 'Cancelled',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = now(),
    "DurationSeconds" = training_job_seconds("StartedAt"),
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
  AND "WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true);

-- name: release
-- A requested stop does not count as an attempt, up to max_interruptions times.
UPDATE "TrainingJobs"
SET "Status" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN 'Pending' ELSE 'Failed' END,
    "AttemptCount" = greatest("AttemptCount", 1) - 1,
    "InterruptionCount" = greatest(least("InterruptionCount", 2147483646), 0) + 1,
    "ProgressPercentage" = 0,
    "CurrentStage" = 'Waiting for a worker: the last one was stopped',
    "EstimatedCompletionAt" = NULL,
    "LeasedUntil" = NULL,
    "CompletedAt" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL ELSE now() END,
    "DurationSeconds" = CASE
        WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL
        ELSE training_job_seconds("StartedAt")
    END,
    "ErrorCode" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL ELSE %(error_code)s END,
    "ErrorMessage" = CASE WHEN "InterruptionCount" < %(max_interruptions)s THEN NULL ELSE %(error_message)s END,
    "UpdatedAt" = now()
WHERE "Id" = %(job_id)s AND "LeaseVersion" = %(lease_version)s AND "Status" = 'Running'
  AND "WorkerId" = set_config('training_worker.worker_id', %(worker_id)s, true)
RETURNING "Status";

-- name: look
-- Runs more often than the renewal, and where a job's state is unknown.
SELECT "Status" AS status, "LeaseVersion" AS lease_version, "WorkerId" AS worker_id,
    "CancelRequestedAt" IS NOT NULL AS cancel_requested
FROM "TrainingJobs" WHERE "Id" = %(job_id)s;

-- name: end_of
SELECT "Status" AS status, "ErrorCode" AS error_code, "ErrorMessage" AS error_message,
    "Result" ? 'coalesced_into' AS is_coalesced
FROM "TrainingJobs" WHERE "Id" = %(job_id)s;

-- name: held
-- The names of the claims that still hold these jobs.
SELECT "Id"::text || '.' || "LeaseVersion" FROM "TrainingJobs"
WHERE "Id" = ANY (%(job_ids)s::uuid[]) AND "Status" = 'Running';

-- name: ended_without_model
SELECT "Id"::text FROM "TrainingJobs"
WHERE "Id" = ANY (%(job_ids)s::uuid[]) AND "Status" IN ('Failed', 'Cancelled');

-- name: results
-- The models with which jobs have completed; for versions that a prune left half removed.
SELECT DISTINCT "ResultModelVersion" FROM "TrainingJobs" WHERE "ResultModelVersion" = ANY (%(versions)s::text[]);

-- name: newest_result
-- The newest of those that this worker named, in the order of an index.
SELECT "ResultModelVersion" FROM "TrainingJobs"
WHERE "ResultModelVersion" ~ '^v[0-9]{10}_[0-9]{8}$'
ORDER BY "ResultModelVersion" DESC LIMIT 1;

-- name: prunable
-- Locks some of the jobs that ended before a time, the oldest first.
SELECT "Id" FROM "TrainingJobs"
WHERE "Status" IN ('Completed', 'Failed', 'Cancelled')
  AND "CompletedAt" < now() - make_interval(secs => %(seconds)s)
  AND "Id" <> ALL (%(refused)s::uuid[])
ORDER BY "CompletedAt"
LIMIT %(most)s
FOR UPDATE SKIP LOCKED;

-- name: prune
DELETE FROM "TrainingJobs" WHERE "Id" = ANY (%(job_ids)s::uuid[]) RETURNING "Id";
