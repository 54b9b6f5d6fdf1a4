-- The statements of migrate.py and apply.py.

-- name: remove_time_limits
-- Time limits of the role or the server must not end a migration.
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;

-- name: limit_locks
SELECT set_config('lock_timeout', %(milliseconds)s, false);

-- name: encoding
SHOW server_encoding;

-- name: try_lock
-- Held until `unlock`, or until the connection closes. The number is arbitrary, but the same in every worker.
SELECT pg_try_advisory_lock(7203518946120733);

-- name: unlock
SELECT pg_advisory_unlock(7203518946120733);

-- name: tables
SELECT to_regclass('"TrainingMigrations"') IS NOT NULL, to_regclass('"WorkerMigrations"') IS NOT NULL;

-- name: create_table
CREATE TABLE "TrainingMigrations" (
    "Name"         text        PRIMARY KEY,
    "Sha256"       text        NOT NULL,
    "AppliedAt"    timestamptz NOT NULL DEFAULT now(),
    "OldestWorker" text        NOT NULL
);

-- name: take_over_table
-- Of workers 0.1.
ALTER TABLE "WorkerMigrations" RENAME TO "TrainingMigrations";
ALTER TABLE "TrainingMigrations" ADD COLUMN "OldestWorker" text NOT NULL DEFAULT '0.1.0';
ALTER TABLE "TrainingMigrations" ALTER COLUMN "OldestWorker" DROP DEFAULT;

-- name: create_view
-- Workers 0.1 refuse any migration that they do not know: they see only their own, and those that they may not run
-- beside. Neither names nor hashes are secret, and no worker is to fail for a right that its operator did not know of.
CREATE VIEW "WorkerMigrations" AS
SELECT "Name", "Sha256", "AppliedAt" FROM "TrainingMigrations"
WHERE "Name" < '0008' OR "OldestWorker" <> '0.1.0';
GRANT SELECT ON "TrainingMigrations", "WorkerMigrations" TO PUBLIC;

-- name: applied
SELECT "Name", "Sha256", to_char("AppliedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), "OldestWorker"
FROM "TrainingMigrations" ORDER BY "Name";

-- name: applied_by_old
SELECT "Name", "Sha256", to_char("AppliedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), '0.1.0'
FROM "WorkerMigrations" ORDER BY "Name";

-- name: record
INSERT INTO "TrainingMigrations" ("Name", "Sha256", "OldestWorker")
VALUES (%(name)s, %(sha256)s, %(oldest_worker)s);

-- name: is_invalid
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(%(index)s) AND NOT indisvalid);

-- name: holders
-- The oldest transaction that holds a lock on a table which the text names, if any.
SELECT pid, coalesce(nullif(application_name, ''), usename, 'unknown'),
    to_char(min(xact_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
FROM pg_locks
JOIN pg_class ON pg_class.oid = relation
JOIN pg_stat_activity USING (pid)
WHERE granted AND pid <> pg_backend_pid() AND datname = current_database() AND relkind IN ('r', 'p')
    AND position(quote_ident(relname) IN %(text)s) > 0
GROUP BY 1, 2 ORDER BY min(xact_start) LIMIT 1;
