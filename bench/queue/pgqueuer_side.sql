-- The bench's queries on pgqueuer's tables.

-- name: insert_finished
-- It keeps of a job that has ended only its log.
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created, aggregated)
SELECT -number, 'successful', 0, 'bench', now() - make_interval(mins => number), true
FROM generate_series(1, %(rows)s) AS number;

-- name: insert_future
INSERT INTO pgqueuer (priority, status, entrypoint, execute_after)
SELECT mod(number, 3), 'queued', 'bench', now() + interval '1 day' + make_interval(secs => number)
FROM generate_series(1, %(rows)s) AS number;

-- name: times
-- Aggregation writes a log row a second time, so that its xmin is no longer that of the event.
SELECT min(created) FILTER (WHERE status = 'queued') AS inserted,
    min(pg_xact_commit_timestamp(xmin)) FILTER (WHERE status = 'queued' AND NOT aggregated) AS insert_committed,
    max(created) FILTER (WHERE status = 'picked') AS claimed,
    max(pg_xact_commit_timestamp(xmin)) FILTER (WHERE status = 'picked' AND NOT aggregated) AS claim_committed,
    count(*) FILTER (WHERE status = 'picked') AS claims,
    bool_or(status = 'successful') AS done
FROM pgqueuer_log WHERE job_id = %(job)s;

-- name: stale_at
SELECT heartbeat + make_interval(secs => %(patience)s) FROM pgqueuer WHERE id = %(job)s;
