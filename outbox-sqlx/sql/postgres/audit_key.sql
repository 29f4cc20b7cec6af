-- Notes that all dead letters of a key are redriven, and by whom. Safe: same transaction as the redrive, with the key's shards
-- locked against burying and the letters against everybody, so what is noted is what is moved.
INSERT INTO outbox_audit (done_by, action, source, message_id, topic, message_key, attempts, last_error, reason)
SELECT $1::text, 'redriven', 'outbox', d.message_id, d.topic, d.message_key, d.attempts, d.last_error, NULL
  FROM outbox_dead d
 WHERE d.topic = $2 AND d.message_key = $3
 ORDER BY d.id
   FOR UPDATE
