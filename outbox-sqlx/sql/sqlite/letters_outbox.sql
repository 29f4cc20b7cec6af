-- A page of the outbox's dead letters after id $7, without their content, in the order they were published. Of one topic $1,
-- key $2, message $3, reason $4, died since $5 and before $6 (microseconds since 1970), each where it is not NULL. Safe:
-- reads only, bounded by $8.
SELECT d.id, 0, CASE length(d.message_id) WHEN 16 THEN d.message_id ELSE zeroblob(16) END, d.topic, d.message_key, d.attempts, d.last_error, d.reason,
       d.created_at, d.died_at,
       length(CAST(d.payload AS BLOB)),
       EXISTS (SELECT 1 FROM outbox_parked p WHERE p.topic = d.topic AND p.message_key = d.message_key),
       CASE WHEN d.shard BETWEEN 0 AND 63 THEN d.shard ELSE 0 END
  FROM outbox_dead d
 WHERE d.id > $7
   AND ($1 IS NULL OR d.topic = $1)
   AND ($2 IS NULL OR d.message_key = $2)
   AND ($3 IS NULL OR d.message_id = $3)
   AND ($4 IS NULL OR d.reason = $4)
   AND ($5 IS NULL OR d.died_at >= $5)
   AND ($6 IS NULL OR d.died_at < $6)
 ORDER BY d.id
 LIMIT $8
