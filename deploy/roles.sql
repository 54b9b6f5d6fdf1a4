-- The two roles that log in, besides the superuser: `shop`, which owns the database and is the backend's and the
-- migrations', and `training_worker`, to which `worker migrate --grant-to training_worker` gives its rights.
-- For psql as a superuser, in the shop's database, with SHOP_PASSWORD and WORKER_PASSWORD in the environment. Safe to
-- repeat: it then only sets the passwords, which is how they are changed.

\set ON_ERROR_STOP on
\getenv shop_password SHOP_PASSWORD
\getenv worker_password WORKER_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('shop'), ('training_worker')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

BEGIN;
-- Neither the server's log nor its statistics get a password to see.
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_error_statement = 'panic';
ALTER ROLE shop PASSWORD :'shop_password';
ALTER ROLE training_worker PASSWORD :'worker_password';
COMMIT;

-- The owner of the database may create tables in its schema `public`.
SELECT format('ALTER DATABASE %I OWNER TO shop', current_database())
\gexec
