-- Locks one message whose deadline has passed. Safe: nothing when another sweep or a confirmation was first.
SELECT message_id, topic, CAST(at_least AS SIGNED), confirm_groups, headers, CAST(resends AS SIGNED),
       CAST(max_resends AS SIGNED), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', since)
  FROM outbox_awaiting FORCE INDEX (PRIMARY)
 WHERE id = ?1 AND deadline_at <= UTC_TIMESTAMP(6)
   FOR UPDATE
