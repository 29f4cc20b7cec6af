-- What waits under one message id. Safe: reads only, by an index.
SELECT a.id, a.message_id, a.topic, a.message_key, a.at_least::bigint, a.confirm_groups::text, a.resends::bigint,
       a.max_resends::bigint, (extract(epoch FROM a.created_at) * 1000000)::bigint,
       (extract(epoch FROM a.since) * 1000000)::bigint, (extract(epoch FROM a.deadline_at) * 1000000)::bigint
  FROM outbox_awaiting a
 WHERE a.message_id = $1
 ORDER BY a.id
 LIMIT 1
