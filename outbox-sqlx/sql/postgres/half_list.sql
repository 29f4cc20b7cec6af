-- A page of half messages by id, after $3, perhaps of one topic $1 and in one state $2. Safe: reads only, bounded by $4.
SELECT message_id, topic, message_key, state, checks::bigint, (extract(epoch FROM prepared_at) * 1000000)::bigint, (extract(epoch FROM next_check_at) * 1000000)::bigint, last_error,
       (extract(epoch FROM ended_at) * 1000000)::bigint, ended_by, reason
  FROM outbox_half
 WHERE ($1::text IS NULL OR topic = $1)
   AND ($2::text IS NULL OR state = $2)
   AND ($3::uuid IS NULL OR message_id > $3)
 ORDER BY message_id
 LIMIT $4
