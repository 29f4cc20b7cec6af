-- What was given up for want of confirmations under message ids, ?1 as a JSON array of them in hex. Safe: reads only.
SELECT d.id, d.message_id, d.headers
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_dead d FORCE INDEX (outbox_dead_message_id) ON d.message_id = UNHEX(wanted.id)
 WHERE d.reason = 'unconfirmed'
 ORDER BY d.id
