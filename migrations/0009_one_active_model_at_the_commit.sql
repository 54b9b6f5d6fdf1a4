-- oldest worker: 0.1.0
-- transaction: no
-- The constraint of "ActiveModels" says since 0008 that one model is active. This index said it after each statement:
-- one SaveChanges that switches two rows in the wrong order failed.

DROP INDEX CONCURRENTLY IF EXISTS "UX_ModelMetadata_OneActive";
