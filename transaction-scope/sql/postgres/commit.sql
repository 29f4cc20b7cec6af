-- Commits, and says so when that can't be: to a bare COMMIT after a failed statement Postgres answers with success
-- and rolls back; the SELECT fails then, and what follows it is not run. One round trip. Safe: the BEGIN opens an
-- empty transaction that holds nothing, for the driver, which still thinks it is in one, to roll back.
SELECT 1;
COMMIT;
BEGIN
