-- One row a published model, at most one of them active. A backend may have the table already; then
-- only the index is added that makes a second active row impossible.

CREATE TABLE IF NOT EXISTS "ModelMetadata" (
    "Id"                uuid PRIMARY KEY,
    "Version"           varchar(50)  NOT NULL UNIQUE,
    "TrainedAt"         timestamptz  NOT NULL,
    "ModelPath"         varchar(500) NOT NULL,
    "AccuracyMetrics"   varchar(2000),
    "TotalPhotosUsed"   integer      NOT NULL,
    "TotalProductsUsed" integer      NOT NULL,
    "IsActive"          boolean      NOT NULL DEFAULT false,
    "Notes"             varchar(1000),
    "CreatedAt"         timestamptz  NOT NULL,
    "UpdatedAt"         timestamptz  NOT NULL
);

DO $$
DECLARE
    versions text;
BEGIN
    SELECT string_agg("Version", ', ' ORDER BY "TrainedAt") INTO versions
    FROM "ModelMetadata" WHERE "IsActive" HAVING count(*) > 1;
    IF versions IS NOT NULL THEN
        RAISE EXCEPTION 'More than one model is active in "ModelMetadata": %. Set "IsActive" to false on all but one of them and migrate again.', versions;
    END IF;
END
$$;

CREATE UNIQUE INDEX IF NOT EXISTS "UX_ModelMetadata_OneActive"
    ON "ModelMetadata" ("IsActive") WHERE "IsActive";
