-- The messages of an order, in the order in which they were sent. Safe: reads only.
SELECT s.message_id, s.sub_order_id, s.topic, s.name, s.trace_id, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', s.sent_at)
  FROM journal_sent s
 WHERE s.order_id = ?
 ORDER BY s.seq
