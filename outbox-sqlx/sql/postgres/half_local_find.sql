-- What is recorded of a half message's local work. Safe: reads only.
SELECT outcome FROM outbox_half_local WHERE message_id = $1
