-- Notes that all dead letters of a key are redriven, and by whom. Safe: same transaction as the redrive, which holds the write
-- lock, so what is noted is what is moved.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $1, 'redriven', 'outbox', CASE length(d.message_id) WHEN 16 THEN d.message_id ELSE zeroblob(16) END, d.topic, d.message_key, d.attempts, d.last_error, NULL
  FROM outbox_dead d
 WHERE d.topic = $2 AND d.message_key = $3
 ORDER BY d.id
