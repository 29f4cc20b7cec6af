-- A page of the messages that wait for confirmations, perhaps of one topic and one key, in the order they were published.
-- Safe: reads only, bounded by the last parameter.
SELECT a.id, a.message_id, a.topic, a.message_key, a.at_least::bigint, a.confirm_groups::text, a.resends::bigint,
       a.max_resends::bigint, (extract(epoch FROM a.created_at) * 1000000)::bigint,
       (extract(epoch FROM a.since) * 1000000)::bigint, (extract(epoch FROM a.deadline_at) * 1000000)::bigint
  FROM outbox_awaiting a
 WHERE ($1::text IS NULL OR a.topic = $1) AND ($2::text IS NULL OR a.message_key = $2) AND a.id > $3
 ORDER BY a.id
 LIMIT $4
