-- The bench's queries on procrastinate's tables.

-- name: insert
-- The function that procrastinate's own `defer` calls.
SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
    ROW('default', 'bench', 0, NULL, NULL, '{}', NULL)::procrastinate_job_to_defer_v1
])) AS job;

-- name: insert_finished
INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)
SELECT 'default', 'bench', 'succeeded', 1 FROM generate_series(1, %(rows)s);

-- name: insert_future
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, scheduled_at)
SELECT 'default', 'bench', mod(number, 3), now() + interval '1 day' + make_interval(secs => number)
FROM generate_series(1, %(rows)s) AS number;

-- name: times
SELECT min(at) FILTER (WHERE type = 'deferred') AS inserted,
    min(pg_xact_commit_timestamp(xmin)) FILTER (WHERE type = 'deferred') AS insert_committed,
    max(at) FILTER (WHERE type = 'started') AS claimed,
    max(pg_xact_commit_timestamp(xmin)) FILTER (WHERE type = 'started') AS claim_committed,
    count(*) FILTER (WHERE type = 'started') AS claims,
    bool_or(type = 'succeeded') AS done
FROM procrastinate_events WHERE job_id = %(job)s;

-- name: stalled_at
SELECT last_heartbeat + make_interval(secs => %(patience)s)
FROM procrastinate_jobs AS job JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
WHERE job.id = %(job)s;
