-- Locks messages that wait, $1 as a JSON array of their ids in the outbox, against the sweep and other confirmations. Safe: by
-- their keys, in one order; nothing of those that wait no longer.
SELECT id, message_id
  FROM outbox_awaiting
 WHERE id = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))
 ORDER BY id
   FOR UPDATE
