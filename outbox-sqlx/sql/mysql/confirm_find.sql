-- What waits under message ids, ?1 as a JSON array of them in hex. Safe: reads only, and locks nothing: each row is locked by
-- its primary key afterwards, as the sweep locks it. By this index first, the two would take a row's locks in two orders.
SELECT a.id
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_awaiting a FORCE INDEX (outbox_awaiting_message_id) ON a.message_id = UNHEX(wanted.id)
 ORDER BY a.id
