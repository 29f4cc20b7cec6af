-- A message waits no longer: it was confirmed, or copied elsewhere by the same transaction. Safe: one row by its key.
DELETE FROM outbox_awaiting WHERE id = $1
