-- Lets one process purge at a time; false when another one does. Safe: the session's lock, and the session is
-- closed afterwards.
SELECT pg_try_advisory_lock(hashtextextended('outbox maintenance', 7227467266))
