-- The bench's statements as a backend, in addition to the demo's.

-- name: insert_job_with_options
INSERT INTO "TrainingJobs" ("Options") VALUES (%(options)s) RETURNING "Id";
