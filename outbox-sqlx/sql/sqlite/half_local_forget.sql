-- Forgets these ($1, a JSON list of ids in hex). Safe: the caller says from which age on nobody asks any more.
DELETE FROM outbox_half_local
 WHERE message_id IN (SELECT unhex(value) FROM json_each($1))
