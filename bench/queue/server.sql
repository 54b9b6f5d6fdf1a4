-- The bench's statements for the server itself.

-- name: keep_commit_times
ALTER SYSTEM SET track_commit_timestamp = on;

-- name: now
SELECT clock_timestamp();

-- name: is_idle
-- Whether the worker is connected and has been idle for a while.
SELECT coalesce(bool_and(state = 'idle' AND clock_timestamp() - state_change > interval '0.3 s'), false)
FROM pg_stat_activity WHERE application_name = %(name)s;

-- name: is_gone
SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %(name)s);
