-- Notes messages that are sent: [[message, order, sub-order, topic, name, trace], …].
INSERT INTO journal_sent (message_id, order_id, sub_order_id, topic, name, trace_id)
SELECT (value ->> 0)::uuid, (value ->> 1)::uuid, (value ->> 2)::uuid, value ->> 3, value ->> 4, value ->> 5
  FROM json_array_elements($1::json) WITH ORDINALITY AS entry (value, place)
 ORDER BY place
