-- oldest worker: 0.1.0
-- transaction: no
-- The queue costs the database the same however many jobs have ended or are in the future, and a renewed lease leaves
-- nothing to clean up. docs/contract.md says in which order jobs are claimed.

-- For each priority, the job that has been due for the longest comes first; the only index on pending jobs, so that no
-- estimate makes Postgres take another one.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "IX_TrainingJobs_Due"
    ON "TrainingJobs" ("Priority" DESC, "RunAfter", "CreatedAt", "Id") WHERE "Status" = 'Pending';

-- Not on "LeasedUntil": a renewal changes no column of an index, so that Postgres replaces the row within its page.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "IX_TrainingJobs_Running"
    ON "TrainingJobs" ("Id") WHERE "Status" = 'Running';

-- Which job a model came of; asked for each folder that a prune left half removed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS "IX_TrainingJobs_ResultModelVersion"
    ON "TrainingJobs" ("ResultModelVersion") WHERE "ResultModelVersion" IS NOT NULL;

DROP INDEX CONCURRENTLY IF EXISTS "IX_TrainingJobs_Claim";

DROP INDEX CONCURRENTLY IF EXISTS "IX_TrainingJobs_Leases";
