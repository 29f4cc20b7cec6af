-- What waits under one message id. Safe: reads only, by an index.
SELECT a.id, CASE length(a.message_id) WHEN 16 THEN a.message_id ELSE zeroblob(16) END, a.topic, a.message_key, a.at_least,
       a.confirm_groups, a.resends, a.max_resends, a.created_at, a.since, a.deadline_at
  FROM outbox_awaiting a
 WHERE a.message_id = $1
 ORDER BY a.id
 LIMIT 1
