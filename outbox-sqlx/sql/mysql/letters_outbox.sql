-- A page of the outbox's dead letters after id ?7, without their content, in the order they were published. Of one topic ?1,
-- key ?2, message ?3, reason ?4, died since ?5 and before ?6 (microseconds since 1970), each where it is not NULL. Safe:
-- reads only, bounded by ?8.
SELECT d.id, 0, d.message_id, d.topic, d.message_key, d.attempts, d.last_error, d.reason,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.created_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', d.died_at),
       LENGTH(d.payload),
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key),
       CAST(CASE WHEN d.shard BETWEEN 0 AND 63 THEN d.shard ELSE 0 END AS SIGNED)
  FROM outbox_dead d
 WHERE d.id > ?7
   AND (?1 IS NULL OR d.topic = ?1)
   AND (?2 IS NULL OR d.message_key = ?2)
   AND (?3 IS NULL OR d.message_id = ?3)
   AND (?4 IS NULL OR d.reason = ?4)
   AND (?5 IS NULL OR d.died_at >= TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?5 MICROSECOND)
   AND (?6 IS NULL OR d.died_at < TIMESTAMP'1970-01-01 00:00:00' + INTERVAL ?6 MICROSECOND)
 ORDER BY d.id
 LIMIT ?8
