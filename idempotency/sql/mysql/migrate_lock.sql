-- Lets one process migrate a database at a time. Safe: the lock is the session's and ends with it. (Names are of the
-- whole server and at most 64 characters.)
SELECT GET_LOCK(CONCAT('idempotency migrations ', LEFT(SHA2(DATABASE(), 256), 32)), 3600)
