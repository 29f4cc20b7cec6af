-- Begins a transaction whose first statement is a claim: it waits for locks at most {milliseconds}, until the claim puts the
-- session's own timeout back. One round trip. Safe: both settings end with the transaction.
BEGIN;
SELECT set_config('idempotency.lock_timeout', current_setting('lock_timeout'), true), set_config('lock_timeout', '{milliseconds}', true)
