-- Forgets a migration that was begun and did not come to its end, so that it is run again. Safe: run under the lock of
-- migrate_lock.sql, and each migration of ours may be run twice.
DELETE FROM _idempotency_migrations WHERE success = FALSE
