-- Begins a transaction whose statements all see one snapshot, for a page that is read by several. Safe: it locks nothing
-- and writes nothing.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY
