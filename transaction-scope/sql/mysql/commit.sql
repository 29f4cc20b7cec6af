-- Commits, and says so when that can't be: a bare COMMIT succeeds also where a deadlock has rolled the transaction back
-- before; here RELEASE fails then (error 1305), and what follows it is not run. One round trip. Safe: the driver rolls
-- back afterwards, which finds nothing to do.
SAVEPOINT outbox_is_open;
RELEASE SAVEPOINT outbox_is_open;
COMMIT
