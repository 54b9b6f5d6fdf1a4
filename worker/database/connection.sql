-- name: limit_transaction
-- A worker that is suspended in the middle of a transaction must not hold its row locks for ever. Returns whether the
-- server takes no writes.
SELECT current_setting('transaction_read_only') = 'on'
FROM set_config('statement_timeout', %(milliseconds)s, true) AS statements,
    set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true) AS pauses;

-- name: now
SELECT extract(epoch FROM now());
