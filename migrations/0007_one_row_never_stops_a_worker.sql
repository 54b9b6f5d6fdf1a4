-- What only the worker writes stays as the worker wrote it; what has ended stays so, unless it is tried again by
-- retry_training_job; no value of a column breaks arithmetic. docs/contract.md says which column is whose.

-- Seconds from `started` until now; NULL for a job that never started, and for infinity.
CREATE FUNCTION training_job_seconds(started timestamptz) RETURNS double precision LANGUAGE sql STABLE
AS 'SELECT CASE WHEN isfinite(started) THEN extract(epoch FROM now() - started)::double precision END';

CREATE OR REPLACE FUNCTION training_jobs_cancel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."Status" := 'Cancelled';
    NEW."CurrentStage" := 'Cancelled';
    NEW."ErrorCode" := NULL;
    NEW."ErrorMessage" := NULL;
    NEW."EstimatedCompletionAt" := NULL;
    NEW."LeasedUntil" := NULL;
    NEW."CompletedAt" := now();
    NEW."DurationSeconds" := training_job_seconds(NEW."StartedAt");
    NEW."UpdatedAt" := now();
    RETURN NEW;
END
$$;

-- For every UPDATE but the worker's: keeps the worker's columns, and says in a warning which ones were not changed.
-- A backend that writes a whole row back, with what it read earlier, does no harm by it.
CREATE FUNCTION training_jobs_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked record := NEW;
    kept text;
    has_ended boolean := OLD."Status" IN ('Completed', 'Failed', 'Cancelled');
BEGIN
    NEW."Status" := OLD."Status";
    NEW."ProgressPercentage" := OLD."ProgressPercentage";
    NEW."CurrentStage" := OLD."CurrentStage";
    NEW."EstimatedCompletionAt" := OLD."EstimatedCompletionAt";
    NEW."AttemptCount" := OLD."AttemptCount";
    NEW."LeaseVersion" := OLD."LeaseVersion";
    NEW."LeasedUntil" := OLD."LeasedUntil";
    NEW."WorkerId" := OLD."WorkerId";
    NEW."StartedAt" := OLD."StartedAt";
    NEW."CompletedAt" := OLD."CompletedAt";
    NEW."DurationSeconds" := OLD."DurationSeconds";
    NEW."ErrorCode" := OLD."ErrorCode";
    NEW."ErrorMessage" := OLD."ErrorMessage";
    NEW."ResultModelVersion" := OLD."ResultModelVersion";
    NEW."Result" := OLD."Result";
    NEW."InterruptionCount" := OLD."InterruptionCount";
    NEW."UpdatedAt" := OLD."UpdatedAt";
    -- The worker has read these when it claimed the job.
    IF OLD."Status" <> 'Pending' THEN
        NEW."RunAfter" := OLD."RunAfter";
        NEW."Options" := OLD."Options";
    END IF;
    -- A request is never taken back, and comes too late for a job that has ended.
    IF has_ended OR OLD."CancelRequestedAt" IS NOT NULL THEN
        NEW."CancelRequestedAt" := OLD."CancelRequestedAt";
    END IF;

    SELECT string_agg(quote_ident(name), ', ') INTO kept
    FROM (VALUES
        ('Status', asked."Status" IS DISTINCT FROM NEW."Status"),
        ('ProgressPercentage', asked."ProgressPercentage" IS DISTINCT FROM NEW."ProgressPercentage"),
        ('CurrentStage', asked."CurrentStage" IS DISTINCT FROM NEW."CurrentStage"),
        ('EstimatedCompletionAt', asked."EstimatedCompletionAt" IS DISTINCT FROM NEW."EstimatedCompletionAt"),
        ('AttemptCount', asked."AttemptCount" IS DISTINCT FROM NEW."AttemptCount"),
        ('LeaseVersion', asked."LeaseVersion" IS DISTINCT FROM NEW."LeaseVersion"),
        ('LeasedUntil', asked."LeasedUntil" IS DISTINCT FROM NEW."LeasedUntil"),
        ('WorkerId', asked."WorkerId" IS DISTINCT FROM NEW."WorkerId"),
        ('StartedAt', asked."StartedAt" IS DISTINCT FROM NEW."StartedAt"),
        ('CompletedAt', asked."CompletedAt" IS DISTINCT FROM NEW."CompletedAt"),
        ('DurationSeconds', asked."DurationSeconds" IS DISTINCT FROM NEW."DurationSeconds"),
        ('ErrorCode', asked."ErrorCode" IS DISTINCT FROM NEW."ErrorCode"),
        ('ErrorMessage', asked."ErrorMessage" IS DISTINCT FROM NEW."ErrorMessage"),
        ('ResultModelVersion', asked."ResultModelVersion" IS DISTINCT FROM NEW."ResultModelVersion"),
        ('Result', asked."Result" IS DISTINCT FROM NEW."Result"),
        ('InterruptionCount', asked."InterruptionCount" IS DISTINCT FROM NEW."InterruptionCount"),
        ('RunAfter', asked."RunAfter" IS DISTINCT FROM NEW."RunAfter"),
        ('Options', asked."Options" IS DISTINCT FROM NEW."Options"),
        ('CancelRequestedAt', asked."CancelRequestedAt" IS DISTINCT FROM NEW."CancelRequestedAt")
    ) AS columns (name, is_kept) WHERE is_kept;
    IF kept IS NOT NULL THEN
        RAISE WARNING 'Job % is %, and an UPDATE that is not the worker''s did not change %.',
            OLD."Id", OLD."Status", kept
            USING HINT = 'Write only the columns of the backend. cancel_training_job(id) cancels a job, '
                'retry_training_job(id) starts a failed or cancelled one anew.';
    END IF;
    RETURN NEW;
END
$$;

-- The worker's statements set this, for their transaction only. Triggers run in the order of their names: this one
-- before that which cancels.
CREATE TRIGGER "TR_TrainingJobs_BackendUpdated"
    BEFORE UPDATE ON "TrainingJobs"
    FOR EACH ROW WHEN (coalesce(current_setting('training_worker.worker_id', true), '') = '')
    EXECUTE FUNCTION training_jobs_keep();

CREATE FUNCTION training_jobs_stay_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD."Status" <> 'Completed' AND NEW."Status" = 'Pending'
        AND current_setting('training_worker.worker_id', true) = 'retry_training_job' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Job % is % and cannot become %.', OLD."Id", OLD."Status", NEW."Status"
        USING ERRCODE = 'check_violation',
            HINT = 'retry_training_job(id) starts a failed or cancelled job anew.';
END
$$;

CREATE TRIGGER "TR_TrainingJobs_EndedUpdated"
    BEFORE UPDATE ON "TrainingJobs"
    FOR EACH ROW WHEN (
        OLD."Status" IN ('Completed', 'Failed', 'Cancelled') AND NEW."Status" <> OLD."Status"
    )
    EXECUTE FUNCTION training_jobs_stay_ended();

-- Starts a failed or cancelled job anew, as if it had just been inserted; raises an error for any other.
CREATE FUNCTION retry_training_job(job uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    worker text := current_setting('training_worker.worker_id', true);
    status text;
BEGIN
    SELECT "Status" INTO status FROM "TrainingJobs" WHERE "Id" = job FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no job % in "TrainingJobs".', coalesce(quote_literal(job), 'NULL')
            USING ERRCODE = 'no_data_found';
    ELSIF status NOT IN ('Failed', 'Cancelled') THEN
        RAISE EXCEPTION 'Job % is %; only a Failed or Cancelled job can be tried again.', job, status
            USING ERRCODE = 'check_violation',
                HINT = 'Insert a new job to train once more.';
    END IF;
    PERFORM set_config('training_worker.worker_id', 'retry_training_job', true);
    UPDATE "TrainingJobs"
    SET "Status" = 'Pending',
        "ProgressPercentage" = 0,
        "CurrentStage" = NULL,
        "EstimatedCompletionAt" = NULL,
        "RunAfter" = now(),
        "AttemptCount" = 0,
        "InterruptionCount" = 0,
        "LeasedUntil" = NULL,
        "WorkerId" = NULL,
        "CancelRequestedAt" = NULL,
        "StartedAt" = NULL,
        "CompletedAt" = NULL,
        "DurationSeconds" = NULL,
        "ErrorCode" = NULL,
        "ErrorMessage" = NULL,
        "ResultModelVersion" = NULL,
        "Result" = NULL,
        "UpdatedAt" = now()
    WHERE "Id" = job;
    PERFORM set_config('training_worker.worker_id', coalesce(worker, ''), true);
END
$$;

-- A backend calls these, and fires these triggers, with any search_path.
DO $$
DECLARE
    path text;
    name text;
BEGIN
    SELECT quote_ident(nspname) INTO path
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = '"TrainingJobs"'::regclass;
    FOREACH name IN ARRAY ARRAY['cancel_training_job(uuid)', 'retry_training_job(uuid)', 'training_jobs_cancel()']
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %s, pg_temp', name, path);
    END LOOP;
END
$$;
