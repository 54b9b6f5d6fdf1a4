-- The demo's statements as a backend.

-- name: insert_product
INSERT INTO "Products" ("Id", "SKU", "Name") VALUES (%(id)s, %(sku)s, %(name)s);

-- name: insert_photo
INSERT INTO "ProductPhotos" ("Id", "ProductId", "FileName", "DisplayOrder", "IsPrimary")
VALUES (%(id)s, %(product_id)s, %(file_name)s, %(order)s, %(order)s = 0);

-- name: insert_job
INSERT INTO "TrainingJobs" DEFAULT VALUES RETURNING "Id";

-- name: read_job
SELECT "Status" AS status, "ProgressPercentage" AS percentage, "CurrentStage" AS stage,
    extract(epoch FROM "EstimatedCompletionAt" - now())::float AS seconds_left,
    "DurationSeconds" AS seconds, "ErrorCode" AS error_code, "ErrorMessage" AS error_message,
    extract(epoch FROM "CompletedAt" - "CreatedAt")::float AS total, "ResultModelVersion" AS version
FROM "TrainingJobs" WHERE "Id" = %(id)s;
