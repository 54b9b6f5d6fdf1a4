-- name: limit_transaction
-- A worker that is stopped in the middle of a transaction must not keep others from its rows for ever.
SELECT set_config('statement_timeout', %(milliseconds)s, true),
    set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true);
