-- oldest worker: 0.1.0
-- The backend may alter its own table: on "ModelMetadata" there is one trigger, which names no column and is not
-- deferred. It notes which models are active in a table of ours; what is decided at the commit is decided there.

-- Two rows only within a transaction, until its commit; the order of a backend's statements does not matter.
CREATE TABLE "ActiveModels" (
    "Version"   text    PRIMARY KEY,
    "IsOnlyOne" boolean NOT NULL DEFAULT true CHECK ("IsOnlyOne"),
    CONSTRAINT "UX_ActiveModels_OneActive" UNIQUE ("IsOnlyOne") DEFERRABLE INITIALLY DEFERRED
);

-- With the rights of whoever migrates, so that nobody else needs any on the table.
CREATE FUNCTION active_models_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM (SELECT "Version" FROM "ModelMetadata" WHERE "IsActive") AS model
        FULL JOIN "ActiveModels" AS noted ON noted."Version" = model."Version"::text
        WHERE noted."Version" IS NULL OR model."Version" IS NULL
    ) THEN
        RETURN NULL;
    END IF;
    -- Changes of the active model come one after another: this mode conflicts with itself, until the commit.
    LOCK TABLE "ActiveModels" IN SHARE UPDATE EXCLUSIVE MODE;
    DELETE FROM "ActiveModels" AS noted
    WHERE NOT EXISTS (
        SELECT FROM "ModelMetadata" WHERE "IsActive" AND "Version"::text = noted."Version"
    );
    INSERT INTO "ActiveModels" ("Version")
    SELECT "Version" FROM "ModelMetadata" WHERE "IsActive"
    ON CONFLICT ("Version") DO NOTHING;
    RETURN NULL;
END
$$;

-- Only these schemas, so that nobody can have the function write to a table of their own.
DO $$
DECLARE
    path text;
BEGIN
    SELECT string_agg(DISTINCT quote_ident(nspname), ', ') INTO path
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid IN ('"ModelMetadata"'::regclass, '"ActiveModels"'::regclass);
    EXECUTE format('ALTER FUNCTION active_models_note() SET search_path = %s, pg_temp', path);
END
$$;

DROP TRIGGER "TR_ModelMetadata_RecordInserted" ON "ModelMetadata";
DROP TRIGGER "TR_ModelMetadata_RecordUpdated" ON "ModelMetadata";
DROP TRIGGER "TR_ModelMetadata_RecordDeleted" ON "ModelMetadata";
DROP TRIGGER "TR_ModelMetadata_RecordTruncated" ON "ModelMetadata";

INSERT INTO "ActiveModels" ("Version") SELECT "Version" FROM "ModelMetadata" WHERE "IsActive";

CREATE TRIGGER "TR_ModelMetadata_Note"
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "ModelMetadata"
    FOR EACH STATEMENT
    EXECUTE FUNCTION active_models_note();

CREATE CONSTRAINT TRIGGER "TR_ActiveModels_Record"
    AFTER INSERT OR DELETE ON "ActiveModels" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW
    EXECUTE FUNCTION model_activations_record();
