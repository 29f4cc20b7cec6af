-- One message whose deadline has passed. Safe: the transaction holds the write lock.
SELECT CASE length(message_id) WHEN 16 THEN message_id ELSE zeroblob(16) END, topic, at_least, confirm_groups, headers,
       resends, max_resends, since
  FROM outbox_awaiting
 WHERE id = $1 AND deadline_at <= CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000
