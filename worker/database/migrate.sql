-- The statements of migrate.py.

-- name: remove_time_limits
-- Time limits of the role or the server must not end a migration, or the wait for another process's migration.
SET lock_timeout = 0;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;

-- name: encoding
SHOW server_encoding;

-- name: lock
-- Held until the connection closes. The number is arbitrary, but the same in every worker.
SELECT pg_advisory_lock(7203518946120733);

-- name: has_table
SELECT to_regclass('"WorkerMigrations"') IS NOT NULL;

-- name: create_table
CREATE TABLE "WorkerMigrations" (
    "Name"      text        PRIMARY KEY,
    "Sha256"    text        NOT NULL,
    "AppliedAt" timestamptz NOT NULL DEFAULT now()
);

-- name: applied
SELECT "Name", "Sha256", to_char("AppliedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
FROM "WorkerMigrations" ORDER BY "Name";

-- name: record
INSERT INTO "WorkerMigrations" ("Name", "Sha256") VALUES (%(name)s, %(sha256)s);
