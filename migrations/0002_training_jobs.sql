-- The queue. docs/contract.md says of each column what it means and who writes it.

CREATE TABLE "TrainingJobs" (
    "Id"                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "Status"                varchar(20) NOT NULL DEFAULT 'Pending'
        CONSTRAINT "CK_TrainingJobs_Status"
        CHECK ("Status" IN ('Pending', 'Running', 'Completed', 'Failed', 'Cancelled')),
    "ProgressPercentage"    integer     NOT NULL DEFAULT 0
        CONSTRAINT "CK_TrainingJobs_ProgressPercentage" CHECK ("ProgressPercentage" BETWEEN 0 AND 100),
    "CurrentStage"          text,
    "EstimatedCompletionAt" timestamptz,
    "Priority"              integer     NOT NULL DEFAULT 0,
    "RunAfter"              timestamptz NOT NULL DEFAULT now(),
    "Options"               jsonb       NOT NULL DEFAULT '{}',
    "AttemptCount"          integer     NOT NULL DEFAULT 0,
    "MaxAttempts"           integer     NOT NULL DEFAULT 3
        CONSTRAINT "CK_TrainingJobs_MaxAttempts" CHECK ("MaxAttempts" >= 1),
    "LeaseVersion"          bigint      NOT NULL DEFAULT 0,
    "LeasedUntil"           timestamptz,
    "WorkerId"              varchar(200),
    "CancelRequestedAt"     timestamptz,
    "StartedAt"             timestamptz,
    "CompletedAt"           timestamptz,
    "DurationSeconds"       double precision,
    "ErrorCode"             varchar(50),
    "ErrorMessage"          text,
    "ResultModelVersion"    varchar(50),
    "InitiatedBy"           uuid,
    "CreatedAt"             timestamptz NOT NULL DEFAULT now(),
    "UpdatedAt"             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT "CK_TrainingJobs_Running"
        CHECK ("Status" <> 'Running' OR ("LeasedUntil" IS NOT NULL AND "WorkerId" IS NOT NULL))
);

-- The order of claiming; finished rows are not in it, so that it stays as small as the queue.
CREATE INDEX "IX_TrainingJobs_Claim"
    ON "TrainingJobs" ("Priority" DESC, "CreatedAt", "Id") WHERE "Status" = 'Pending';

CREATE INDEX "IX_TrainingJobs_CreatedAt" ON "TrainingJobs" ("CreatedAt");

CREATE FUNCTION training_jobs_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('training_jobs', NEW."Id"::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER "TR_TrainingJobs_NotifyInserted"
    AFTER INSERT ON "TrainingJobs"
    FOR EACH ROW WHEN (NEW."Status" = 'Pending')
    EXECUTE FUNCTION training_jobs_notify();

CREATE TRIGGER "TR_TrainingJobs_NotifyPendingAgain"
    AFTER UPDATE OF "Status" ON "TrainingJobs"
    FOR EACH ROW WHEN (NEW."Status" = 'Pending' AND OLD."Status" <> 'Pending')
    EXECUTE FUNCTION training_jobs_notify();

-- A request to cancel wins over waiting and over failing, whoever writes that and whether or not a worker
-- is alive. What has ended stays as it is.
CREATE FUNCTION training_jobs_cancel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."Status" := 'Cancelled';
    NEW."CurrentStage" := 'Cancelled';
    NEW."ErrorCode" := NULL;
    NEW."ErrorMessage" := NULL;
    NEW."CompletedAt" := now();
    NEW."UpdatedAt" := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER "TR_TrainingJobs_CancelInserted"
    BEFORE INSERT ON "TrainingJobs"
    FOR EACH ROW WHEN (NEW."CancelRequestedAt" IS NOT NULL AND NEW."Status" = 'Pending')
    EXECUTE FUNCTION training_jobs_cancel();

CREATE TRIGGER "TR_TrainingJobs_CancelUpdated"
    BEFORE UPDATE ON "TrainingJobs"
    FOR EACH ROW WHEN (
        NEW."CancelRequestedAt" IS NOT NULL
        AND NEW."Status" IN ('Pending', 'Failed')
        AND OLD."Status" IN ('Pending', 'Running')
    )
    EXECUTE FUNCTION training_jobs_cancel();
