-- Who has confirmed message ?1. Safe: reads only, at most ?2.
SELECT group_name, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', confirmed_at)
  FROM outbox_confirmation
 WHERE message_id = ?1
 ORDER BY confirmed_at, group_name
 LIMIT ?2
