-- Lets one process migrate at a time. Safe: ends with the transaction, so a process that dies can't keep it.
SELECT pg_advisory_xact_lock(hashtextextended('idempotency migrations', 7227467266))
