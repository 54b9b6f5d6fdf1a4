-- name: listen
-- The channel on which the trigger of migration 0002 announces pending jobs.
LISTEN training_jobs;

-- name: probe
SELECT 1;
