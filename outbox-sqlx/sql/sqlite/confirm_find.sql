-- What waits under message ids, $1 as a JSON array of them in hex. Safe: reads only.
SELECT id FROM outbox_awaiting WHERE message_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY id
