-- Forgets these ($1, a JSON list of ids in hex). Safe: only of those that have ended, which no transition leaves.
DELETE FROM outbox_half
 WHERE message_id IN (SELECT unhex(value) FROM json_each($1))
   AND ended_at IS NOT NULL
