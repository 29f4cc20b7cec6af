-- Removes what was brought into its queue: ?2 is the list of ids. Safe: in the transaction that has appended it.
DELETE d
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (id BIGINT PATH '$')) AS done
 STRAIGHT_JOIN outbox_delayed d FORCE INDEX (PRIMARY) ON d.id = done.id
 WHERE d.topic_id = ?1
