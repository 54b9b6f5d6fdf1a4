-- name: limit_transaction
-- A worker that is suspended in the middle of a transaction must not hold its row locks for ever.
SELECT set_config('statement_timeout', %(milliseconds)s, true),
    set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true);

-- name: now
SELECT now();
