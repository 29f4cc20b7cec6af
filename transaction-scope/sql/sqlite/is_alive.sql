-- Asked before each write and each COMMIT, and expected to FAIL: inside of a transaction there can't be another.
-- Safe: where it succeeds, SQLite had given the transaction up by itself (disk full, I/O error, ON CONFLICT
-- ROLLBACK), and what would have been committed at once and on its own is now in an empty transaction that the
-- caller rolls back.
BEGIN
