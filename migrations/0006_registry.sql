-- A worse model never goes live: what came of a job, who made which model the active one and why, and the one
-- way to do so. docs/contract.md explains each.

ALTER TABLE "TrainingJobs" ADD COLUMN "Result" jsonb;

-- In the order of "Id"; the newest row says which model is active.
CREATE TABLE "ModelActivations" (
    "Id"              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "Version"         varchar(50),
    "PreviousVersion" varchar(50),
    "ActivatedBy"     varchar(200) NOT NULL,
    "Reason"          text         NOT NULL,
    "ActivatedAt"     timestamptz  NOT NULL DEFAULT now()
);

-- Runs at the commit, whatever changed the active model and in however many statements; with the rights of
-- whoever migrates, so that nobody else needs any on the audit.
CREATE FUNCTION model_activations_record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    program text := coalesce(nullif(current_setting('application_name', true), ''), session_user);
    who text := coalesce(nullif(current_setting('training_worker.who', true), ''), session_user);
    why text := coalesce(nullif(current_setting('training_worker.why', true), ''),
        'A statement of ' || program || ' changed it.');
BEGIN
    -- Changes come one after another, because no two models can be active at once. A transaction that cannot
    -- see the one before it, as under REPEATABLE READ, fails here instead of telling it wrong.
    UPDATE "ModelActivations" SET "Version" = "Version"
    WHERE "Id" = (SELECT max("Id") FROM "ModelActivations");

    INSERT INTO "ModelActivations" ("Version", "PreviousVersion", "ActivatedBy", "Reason")
    SELECT model."Version", audit."Version", left(who, 200), why
    FROM (SELECT max("Version") AS "Version" FROM "ModelMetadata" WHERE "IsActive") AS model,
        (SELECT (SELECT "Version" FROM "ModelActivations" ORDER BY "Id" DESC LIMIT 1)) AS audit ("Version")
    WHERE model."Version" IS DISTINCT FROM audit."Version";
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER "TR_ModelMetadata_RecordInserted"
    AFTER INSERT ON "ModelMetadata" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW."IsActive")
    EXECUTE FUNCTION model_activations_record();

CREATE CONSTRAINT TRIGGER "TR_ModelMetadata_RecordUpdated"
    AFTER UPDATE ON "ModelMetadata" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD."IsActive" IS DISTINCT FROM NEW."IsActive" OR OLD."Version" <> NEW."Version")
    EXECUTE FUNCTION model_activations_record();

CREATE CONSTRAINT TRIGGER "TR_ModelMetadata_RecordDeleted"
    AFTER DELETE ON "ModelMetadata" DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD."IsActive")
    EXECUTE FUNCTION model_activations_record();

CREATE TRIGGER "TR_ModelMetadata_RecordTruncated"
    AFTER TRUNCATE ON "ModelMetadata"
    FOR EACH STATEMENT
    EXECUTE FUNCTION model_activations_record();

-- The triggers have locked the table against changes, so none is missed between this row and theirs.
INSERT INTO "ModelActivations" ("Version", "ActivatedBy", "Reason")
SELECT "Version", session_user, 'It was active when this table was created.'
FROM "ModelMetadata" WHERE "IsActive";

-- Gives the version that was active before; that of the model itself where it is active already.
CREATE FUNCTION activate_model(version text, reason text DEFAULT NULL, who text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    previous text;
BEGIN
    LOCK TABLE "ModelMetadata" IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM "ModelMetadata" WHERE "Version" = version) THEN
        RAISE EXCEPTION 'There is no model % in "ModelMetadata", so it cannot be made the active one.',
            coalesce(quote_literal(version), 'NULL')
            USING ERRCODE = 'no_data_found', HINT = 'Give the "Version" of one of its rows.';
    END IF;
    SELECT "Version" INTO previous FROM "ModelMetadata" WHERE "IsActive";
    IF previous IS DISTINCT FROM version THEN
        PERFORM set_config('training_worker.who', coalesce(who, ''), true),
            set_config('training_worker.why', coalesce(reason, 'activate_model was called.'), true);
        UPDATE "ModelMetadata" SET "IsActive" = false, "UpdatedAt" = now() WHERE "IsActive";
        UPDATE "ModelMetadata" SET "IsActive" = true, "UpdatedAt" = now() WHERE "Version" = version;
    END IF;
    RETURN previous;
END
$$;

-- Only these schemas, so that nobody can have the functions write to a table of their own.
DO $$
DECLARE
    path text;
BEGIN
    SELECT string_agg(DISTINCT quote_ident(nspname), ', ') INTO path
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid IN ('"ModelMetadata"'::regclass, '"ModelActivations"'::regclass);
    EXECUTE format('ALTER FUNCTION model_activations_record() SET search_path = %s, pg_temp', path);
    EXECUTE format('ALTER FUNCTION activate_model(text, text, text) SET search_path = %s, pg_temp', path);
END
$$;
