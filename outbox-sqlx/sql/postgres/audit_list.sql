-- A page of what operators did, the newest first, below id $7. Safe: reads only, bounded by $8.
SELECT a.id, (extract(epoch FROM a.done_at) * 1000000)::bigint, a.done_by, a.action, a.source, a.message_id, a.topic, a.message_key, a.attempts::bigint,
       a.last_error, a.reason
  FROM outbox_audit a
 WHERE a.id < $7
   AND ($1::text IS NULL OR a.source = $1)
   AND ($2::text IS NULL OR a.topic = $2)
   AND ($3::text IS NULL OR a.message_key = $3)
   AND ($4::uuid IS NULL OR a.message_id = $4)
   AND ($5::text IS NULL OR a.action = $5)
   AND ($6::text IS NULL OR a.done_by = $6)
 ORDER BY a.id DESC
 LIMIT $8
