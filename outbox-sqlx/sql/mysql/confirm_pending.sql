-- A page of the messages that wait for confirmations, perhaps of one topic and one key, in the order they were published.
-- Safe: reads only, bounded by the last parameter.
SELECT a.id, a.message_id, a.topic, a.message_key, CAST(a.at_least AS SIGNED), a.confirm_groups, CAST(a.resends AS SIGNED),
       CAST(a.max_resends AS SIGNED), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.created_at),
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.since), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.deadline_at)
  FROM outbox_awaiting a
 WHERE (?1 IS NULL OR a.topic = ?1) AND (?2 IS NULL OR a.message_key = ?2) AND a.id > ?3
 ORDER BY a.id
 LIMIT ?4
