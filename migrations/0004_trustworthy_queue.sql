-- Interruptions have a bound of their own; workers that died are found; a cancel is one call.

ALTER TABLE "TrainingJobs"
    ADD COLUMN "InterruptionCount" integer NOT NULL DEFAULT 0;

-- Whose lease ran out; finished rows are not in it.
CREATE INDEX "IX_TrainingJobs_Leases" ON "TrainingJobs" ("LeasedUntil") WHERE "Status" = 'Running';

-- For a backend that prefers a call: true when the job will be, or is now, cancelled by it.
CREATE FUNCTION cancel_training_job(job uuid) RETURNS boolean LANGUAGE sql AS $$
    WITH asked AS (
        UPDATE "TrainingJobs"
        SET "CancelRequestedAt" = coalesce("CancelRequestedAt", now())
        WHERE "Id" = job AND "Status" IN ('Pending', 'Running')
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM asked)
$$;
