-- A page of half messages by id, after ?3, perhaps of one topic ?1 and in one state ?2. Safe: reads only, bounded by ?4.
SELECT message_id, topic, message_key, state, checks, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', prepared_at), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', next_check_at), last_error,
       TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ended_at), ended_by, reason
  FROM outbox_half
 WHERE (?1 IS NULL OR topic = ?1)
   AND (?2 IS NULL OR state = ?2)
   AND (?3 IS NULL OR message_id > ?3)
 ORDER BY message_id
 LIMIT ?4
