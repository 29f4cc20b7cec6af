-- Forgets these ($1, a JSON list of ids in hex). Safe: only of those that have ended, which no transition leaves.
DELETE FROM outbox_half
 WHERE message_id IN (SELECT value::uuid FROM json_array_elements_text($1::text::json))
   AND ended_at IS NOT NULL
