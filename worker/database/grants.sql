-- The rights of a worker. docs/running.md has them as plain statements for who gives them by hand; a test compares.

-- name: lock
-- Two that change the rights of one table at the same moment fail. The number is arbitrary.
SELECT pg_advisory_xact_lock(7203518946120734);

-- name: role
SELECT rolsuper FROM pg_roles WHERE rolname = %(role)s::name;

-- name: creation
-- Without a password nobody can log in by one.
SELECT format('CREATE ROLE %%I LOGIN', %(role)s::name);

-- name: missing
-- What the role lacks, as the statements that give it. Without columns, the right is on the whole table.
WITH rights (relation, privilege, columns) AS (
    VALUES
        ('"Products"', 'SELECT', '{Id,SKU,Name,IsActive}'::name[]),
        ('"ProductPhotos"', 'SELECT', '{Id,ProductId,FileName,DisplayOrder}'),
        ('"TrainingJobs"', 'SELECT', NULL),
        ('"TrainingJobs"', 'UPDATE', '{Status,ProgressPercentage,CurrentStage,EstimatedCompletionAt,RunAfter,
            AttemptCount,LeaseVersion,LeasedUntil,WorkerId,StartedAt,CompletedAt,DurationSeconds,ErrorCode,
            ErrorMessage,ResultModelVersion,UpdatedAt,InterruptionCount,Result}'),
        -- Old jobs are removed, where that is wanted.
        ('"TrainingJobs"', 'DELETE', NULL),
        ('"ModelMetadata"', 'SELECT', NULL),
        ('"ModelMetadata"', 'INSERT', NULL),
        ('"ModelMetadata"', 'UPDATE', '{IsActive,UpdatedAt}'),
        -- Old models are removed, where that is wanted; and nobody may lock the table without a right on all of it.
        ('"ModelMetadata"', 'DELETE', NULL),
        ('"ModelActivations"', 'SELECT', NULL),
        -- Everybody may read these two, unless an administrator took that away; workers 0.1 read the second.
        ('"TrainingMigrations"', 'SELECT', NULL),
        ('"WorkerMigrations"', 'SELECT', NULL)
), worker_functions (function) AS (
    -- Those of triggers need no right.
    VALUES ('activate_model(text, text, text)'), ('training_job_seconds(timestamptz)')
), lacking AS (
    SELECT relation::regclass AS relation, privilege, NULL AS columns
    FROM rights
    WHERE columns IS NULL AND NOT has_table_privilege(%(role)s::name, relation::regclass, privilege)
    UNION ALL
    SELECT attrelid::regclass, privilege, string_agg(quote_ident(attname), ', ' ORDER BY attnum)
    FROM rights JOIN pg_attribute ON attrelid = relation::regclass AND attnum > 0
    -- In this order, because not every right on a table is one on columns.
    WHERE CASE WHEN attname = ANY (columns) THEN NOT has_column_privilege(%(role)s::name, attrelid, attnum, privilege) END
    GROUP BY attrelid, privilege
)
SELECT format('GRANT CONNECT ON DATABASE %%I TO %%I', current_database(), %(role)s::name)
WHERE NOT has_database_privilege(%(role)s::name, current_database(), 'CONNECT')
UNION ALL
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %%s TO %%I', relnamespace::regnamespace, %(role)s::name)
FROM rights JOIN pg_class ON pg_class.oid = relation::regclass
WHERE NOT has_schema_privilege(%(role)s::name, relnamespace, 'USAGE')
UNION ALL
SELECT format('GRANT %%s%%s ON %%s TO %%I', privilege, ' (' || columns || ')', relation, %(role)s::name)
FROM lacking
UNION ALL
SELECT format('GRANT EXECUTE ON FUNCTION %%s TO %%I', function::regprocedure, %(role)s::name)
FROM worker_functions
WHERE NOT has_function_privilege(%(role)s::name, function::regprocedure, 'EXECUTE');
