-- Messages that wait, $1 as a JSON array of their ids in the outbox. Safe: the transaction holds the write lock.
SELECT id, message_id
  FROM outbox_awaiting
 WHERE id IN (SELECT value FROM json_each($1))
 ORDER BY id
