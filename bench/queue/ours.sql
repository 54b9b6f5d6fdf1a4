-- The bench's queries on "TrainingJobs".

-- name: insert
-- Each is to be done by itself.
INSERT INTO "TrainingJobs" ("Options") VALUES ('{"coalesce": false}') RETURNING "Id" AS job,
    pg_current_xact_id()::xid::text AS insertion;

-- name: times
-- Until the next write to the row, its xmin is the claim's transaction.
SELECT "CreatedAt" AS inserted,
    pg_xact_commit_timestamp(%(insertion)s::xid) AS insert_committed,
    "StartedAt" AS claimed,
    CASE WHEN "Status" = 'Running' THEN pg_xact_commit_timestamp(xmin) END AS claim_committed,
    "AttemptCount" AS claims,
    "Status" = 'Completed' AS done
FROM "TrainingJobs" WHERE "Id" = %(job)s;

-- name: leased_until
SELECT "LeasedUntil" FROM "TrainingJobs" WHERE "Id" = %(job)s;

-- name: insert_finished
INSERT INTO "TrainingJobs" ("Status", "ProgressPercentage", "CurrentStage", "AttemptCount", "LeaseVersion",
    "CreatedAt", "StartedAt", "CompletedAt", "DurationSeconds", "ResultModelVersion", "WorkerId")
SELECT 'Completed', 100, 'Completed', 1, 1,
    now() - make_interval(mins => number), now() - make_interval(mins => number),
    now() - make_interval(mins => number), 60, 'v' || number, 'a worker'
FROM generate_series(1, %(rows)s) AS number;

-- name: insert_future
INSERT INTO "TrainingJobs" ("Priority", "RunAfter")
SELECT mod(number, 3), now() + interval '1 day' + make_interval(secs => number)
FROM generate_series(1, %(rows)s) AS number;
