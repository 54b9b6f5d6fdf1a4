-- What the bench asks of pgqueuer's tables.

-- name: times
-- A line of the log that was counted into the statistics has been written twice.
SELECT min(created) FILTER (WHERE status = 'queued') AS inserted,
    min(pg_xact_commit_timestamp(xmin)) FILTER (WHERE status = 'queued' AND NOT aggregated) AS insert_committed,
    max(created) FILTER (WHERE status = 'picked') AS claimed,
    max(pg_xact_commit_timestamp(xmin)) FILTER (WHERE status = 'picked' AND NOT aggregated) AS claim_committed,
    count(*) FILTER (WHERE status = 'picked') AS claims,
    bool_or(status = 'successful') AS done
FROM pgqueuer_log WHERE job_id = %(job)s;

-- name: stale_at
SELECT heartbeat + make_interval(secs => %(patience)s) FROM pgqueuer WHERE id = %(job)s;
