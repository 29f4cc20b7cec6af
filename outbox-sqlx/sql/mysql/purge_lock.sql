-- Lets one process purge a database at a time; false when another one does. Safe: the session's lock, and the session is
-- closed afterwards.
SELECT COALESCE(GET_LOCK(CONCAT('outbox maintenance ', LEFT(SHA2(DATABASE(), 256), 32)), 0), 0) = 1
