-- What waits under message ids, $1 as a JSON array of them in hex. Safe: reads only, and locks nothing: each row is locked by
-- its primary key afterwards, as the sweep locks it. By this index first, the two would take a row's locks in two orders.
SELECT id
  FROM outbox_awaiting
 WHERE message_id = ANY (ARRAY(SELECT value::uuid FROM json_array_elements_text($1::json)))
 ORDER BY id
