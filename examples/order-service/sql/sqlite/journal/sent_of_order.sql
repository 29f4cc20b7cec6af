-- The messages of an order, in the order in which they were sent.
SELECT s.message_id, s.sub_order_id, s.topic, s.name, s.trace_id, s.sent_at
  FROM journal_sent s
 WHERE s.order_id = $1
 ORDER BY s.seq
