-- A page of what operators did, the newest first, below id ?7. Safe: reads only, bounded by ?8.
SELECT a.id, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', a.done_at), a.done_by, a.action, a.source, a.message_id, a.topic, a.message_key, a.attempts,
       a.last_error, a.reason
  FROM outbox_audit a
 WHERE a.id < ?7
   AND (?1 IS NULL OR a.source = ?1)
   AND (?2 IS NULL OR a.topic = ?2)
   AND (?3 IS NULL OR a.message_key = ?3)
   AND (?4 IS NULL OR a.message_id = ?4)
   AND (?5 IS NULL OR a.action = ?5)
   AND (?6 IS NULL OR a.done_by = ?6)
 ORDER BY a.id DESC
 LIMIT ?8
