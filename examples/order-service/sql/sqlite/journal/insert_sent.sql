-- Notes messages that are sent: [[message, order, sub-order, topic, name, trace], …].
INSERT INTO journal_sent (message_id, order_id, sub_order_id, topic, name, trace_id)
SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5
  FROM json_each($1)
 ORDER BY key
