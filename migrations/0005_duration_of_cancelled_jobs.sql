-- A job that is cancelled by the trigger has a duration like any other that ended; NULL if it never started.

CREATE OR REPLACE FUNCTION training_jobs_cancel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."Status" := 'Cancelled';
    NEW."CurrentStage" := 'Cancelled';
    NEW."ErrorCode" := NULL;
    NEW."ErrorMessage" := NULL;
    NEW."CompletedAt" := now();
    NEW."DurationSeconds" := extract(epoch FROM NEW."CompletedAt" - NEW."StartedAt");
    NEW."UpdatedAt" := now();
    RETURN NEW;
END
$$;
