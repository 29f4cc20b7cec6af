-- Reads what follows in one queue: from an offset on, at most so many messages. Repeated for each queue and put together
-- by UNION ALL, with queue_read_due.sql as the last part. Safe: reads only; one statement and so one snapshot, and who sees
-- an offset sees all below it. Each part walks the primary key from its offset on and stops at its limit.
(SELECT queue_id, queue_offset, message_id, message_key, payload, headers, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at)
   FROM outbox_queue_message
  WHERE queue_id = ?
    AND queue_offset >= ?
  ORDER BY queue_offset
  LIMIT ?)
