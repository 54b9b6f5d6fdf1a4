-- oldest worker: 0.1.0
-- transaction: no
-- Which jobs ended long ago, for JOB_RETENTION_DAYS and `worker jobs prune`.

CREATE INDEX CONCURRENTLY IF NOT EXISTS "IX_TrainingJobs_Ended"
    ON "TrainingJobs" ("CompletedAt") WHERE "Status" IN ('Completed', 'Failed', 'Cancelled');
