-- For a claim in a transaction that somebody else began: from here on it waits for locks at most $1, until the claim puts
-- the transaction's own timeout back. Safe: both settings end with the transaction.
SELECT set_config('idempotency.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', $1, true)
