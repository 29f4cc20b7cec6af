-- What was given up for want of confirmations under message ids, $1 as a JSON array of them in hex. Safe: reads only.
SELECT id, message_id, headers
  FROM outbox_dead
 WHERE message_id IN (SELECT unhex(value) FROM json_each($1))
   AND reason = 'unconfirmed'
 ORDER BY id
