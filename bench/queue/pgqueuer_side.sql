-- The bench's queries on pgqueuer's tables.

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
