-- The bench's statements as a backend, in addition to the demo's.

-- name: insert_job_with_options
-- Each is to be done by itself.
INSERT INTO "TrainingJobs" ("Options") VALUES (%(options)s || '{"coalesce": false}') RETURNING "Id";
