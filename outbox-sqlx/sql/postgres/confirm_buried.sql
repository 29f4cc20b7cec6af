-- What was given up for want of confirmations under message ids, $1 as a JSON array of them in hex. Safe: reads only.
SELECT id, message_id, headers::text
  FROM outbox_dead
 WHERE message_id = ANY (ARRAY(SELECT value::uuid FROM json_array_elements_text($1::json)))
   AND reason = 'unconfirmed'
 ORDER BY id
