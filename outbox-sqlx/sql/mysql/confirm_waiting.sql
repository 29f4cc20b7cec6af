-- What waits under one message id. Safe: reads only, by an index.
SELECT a.id, a.message_id, a.topic, a.message_key, CAST(a.at_least AS SIGNED), a.confirm_groups, CAST(a.resends AS SIGNED),
       CAST(a.max_resends AS SIGNED), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.created_at),
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.since), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.deadline_at)
  FROM outbox_awaiting a
 WHERE a.message_id = ?1
 ORDER BY a.id
 LIMIT 1
