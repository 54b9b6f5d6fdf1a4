-- The bench's statements for the server itself.

-- name: keep_commit_times
ALTER SYSTEM SET track_commit_timestamp = on;

-- name: name_programs
-- In each line of the log, so that the statements of a worker can be counted.
ALTER SYSTEM SET log_line_prefix = '%a|';

-- name: vacuum
VACUUM ANALYZE;

-- name: updates
-- Of all tables of the database; `light` are those that changed no index (HOT).
SELECT coalesce(sum(n_tup_upd), 0)::int AS updates, coalesce(sum(n_tup_hot_upd), 0)::int AS light,
    coalesce(sum(n_dead_tup), 0)::int AS dead
FROM pg_stat_user_tables;

-- name: now
SELECT clock_timestamp();

-- name: is_idle
-- Whether the worker is connected and has been idle for a while.
SELECT coalesce(bool_and(state = 'idle' AND clock_timestamp() - state_change > interval '0.3 s'), false)
FROM pg_stat_activity WHERE application_name = %(name)s;

-- name: is_gone
SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = %(name)s);
