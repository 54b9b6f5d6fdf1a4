-- What the bench does in a backend's place, besides the demo's queries.

-- name: insert_job_with_options
INSERT INTO "TrainingJobs" ("Options") VALUES (%(options)s) RETURNING "Id";
