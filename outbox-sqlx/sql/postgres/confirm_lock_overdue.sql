-- Locks one message whose deadline has passed. Safe: nothing when another sweep or a confirmation was first.
SELECT message_id, topic, at_least::bigint, confirm_groups::text, headers::text, resends::bigint, max_resends::bigint,
       (extract(epoch FROM since) * 1000000)::bigint
  FROM outbox_awaiting
 WHERE id = $1 AND deadline_at <= now()
   FOR UPDATE
