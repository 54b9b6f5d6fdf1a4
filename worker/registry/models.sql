-- Every statement on "ModelMetadata" and "ModelActivations". The function activate_model of migration 0006 is the one
-- way to make a model the active one. Times leave the database as texts of ISO 8601, whatever its settings; infinity,
-- which Python's times lack, as `infinity`.

-- name: limit_wait
SELECT set_config('lock_timeout', %(milliseconds)s, true);

-- name: limit_wait_no_more
-- A trigger of the backend may wait for longer.
SET LOCAL lock_timeout TO DEFAULT;

-- name: lock
-- One change of the active model at a time; does not block readers. Whoever has this waits for no row: a session that
-- has locked one of them was waited for.
LOCK TABLE "ModelMetadata" IN EXCLUSIVE MODE;

-- name: insert
INSERT INTO "ModelMetadata" ("Id", "Version", "TrainedAt", "ModelPath", "AccuracyMetrics",
    "TotalPhotosUsed", "TotalProductsUsed", "IsActive", "Notes", "CreatedAt", "UpdatedAt")
VALUES (gen_random_uuid(), %(version)s, now(), %(model_path)s, %(accuracy_metrics)s,
    %(photos)s, %(products)s, false, %(notes)s, now(), now());

-- name: activate
SELECT activate_model(%(version)s, %(reason)s, %(who)s);

-- name: tell
-- What the triggers write to "ModelActivations" at the commit.
SELECT set_config('training_worker.who', %(who)s, true), set_config('training_worker.why', %(reason)s, true);

-- name: deactivate
UPDATE "ModelMetadata" SET "IsActive" = false, "UpdatedAt" = now() WHERE "IsActive";

-- name: delete
DELETE FROM "ModelMetadata" WHERE "Version" = %(version)s;

-- name: registered
SELECT "Version" FROM "ModelMetadata" WHERE "Version" = ANY (%(versions)s::text[]);

-- name: newest_version
-- The newest of those that this worker named, active or not.
SELECT max("Version") FROM "ModelMetadata" WHERE "Version" ~ '^v[0-9]{10}_[0-9]{8}$';

-- name: newest_activation
-- The newest of those that this worker named and that were active once; the model may be gone.
SELECT max(version)
FROM "ModelActivations" CROSS JOIN LATERAL (VALUES ("Version"), ("PreviousVersion")) AS versions (version)
WHERE version ~ '^v[0-9]{10}_[0-9]{8}$';

-- name: models
-- The newest first.
SELECT "Version" AS version, "IsActive" AS is_active,
    coalesce(to_char("TrainedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), "TrainedAt"::text) AS trained_at,
    "ModelPath" AS model_path, "AccuracyMetrics" AS accuracy_metrics, "TotalPhotosUsed" AS photos, "TotalProductsUsed" AS products,
    "Notes" AS notes
FROM "ModelMetadata" ORDER BY "TrainedAt" DESC, "Version" DESC;

-- name: active
SELECT "Version" AS version, "ModelPath" AS model_path, "AccuracyMetrics" AS accuracy_metrics
FROM "ModelMetadata" WHERE "IsActive";

-- name: knows_folders
SELECT EXISTS (SELECT FROM "ModelMetadata" WHERE "ModelPath" = 'models/' || "Version");

-- name: activations
-- The oldest first.
SELECT "Version" AS version, "PreviousVersion" AS previous_version, "ActivatedBy" AS activated_by,
    "Reason" AS reason,
    coalesce(to_char("ActivatedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), "ActivatedAt"::text)
        AS activated_at
FROM "ModelActivations" ORDER BY "Id";
