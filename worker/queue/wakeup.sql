-- name: listen
-- The trigger of migration 0002 notifies this channel of pending jobs.
LISTEN training_jobs;

-- name: probe
SELECT 1;
