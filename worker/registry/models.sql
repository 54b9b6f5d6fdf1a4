-- Every statement on "ModelMetadata".

-- name: lock
-- One change of the active model at a time; readers are not held up.
LOCK TABLE "ModelMetadata" IN SHARE ROW EXCLUSIVE MODE;

-- name: deactivate
UPDATE "ModelMetadata" SET "IsActive" = false, "UpdatedAt" = now() WHERE "IsActive";

-- name: insert_active
INSERT INTO "ModelMetadata" ("Id", "Version", "TrainedAt", "ModelPath", "AccuracyMetrics",
    "TotalPhotosUsed", "TotalProductsUsed", "IsActive", "Notes", "CreatedAt", "UpdatedAt")
VALUES (gen_random_uuid(), %(version)s, now(), %(model_path)s, %(accuracy_metrics)s,
    %(photos)s, %(products)s, true, %(notes)s, now(), now());

-- name: is_registered
SELECT EXISTS (SELECT FROM "ModelMetadata" WHERE "Version" = %(version)s);
