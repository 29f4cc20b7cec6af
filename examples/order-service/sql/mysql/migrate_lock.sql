-- Lets one process migrate a database at a time. Safe: the lock is the session's and ends with it. (Names are of the
-- whole server and at most 64 characters.)
SELECT GET_LOCK(CONCAT('order-service migrations ', MD5(DATABASE())), 3600)
