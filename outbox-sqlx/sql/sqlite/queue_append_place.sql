-- Makes room for $3 messages in a queue, and answers where. Safe: the transaction holds the database's only write lock,
-- so offsets are dense and follow the commits. No row: the topic hasn't $2 queues any more.
UPDATE outbox_queue SET next_offset = next_offset + $3 WHERE id = $1 AND siblings = $2
RETURNING next_offset - $3
