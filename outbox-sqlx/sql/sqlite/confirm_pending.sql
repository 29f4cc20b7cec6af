-- A page of the messages that wait for confirmations, perhaps of one topic and one key, in the order they were published.
-- Safe: reads only, bounded by the last parameter.
SELECT a.id, CASE length(a.message_id) WHEN 16 THEN a.message_id ELSE zeroblob(16) END, a.topic, a.message_key, a.at_least,
       a.confirm_groups, a.resends, a.max_resends, a.created_at, a.since, a.deadline_at
  FROM outbox_awaiting a
 WHERE ($1 IS NULL OR a.topic = $1) AND ($2 IS NULL OR a.message_key = $2) AND a.id > $3
 ORDER BY a.id
 LIMIT $4
