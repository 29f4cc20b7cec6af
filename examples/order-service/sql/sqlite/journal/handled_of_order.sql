-- Who has handled the messages of an order.
SELECT h.message_id, h.group_name, CAST(h.attempt AS integer), h.handled_at
  FROM journal_sent s
  JOIN journal_handled h ON h.message_id = s.message_id
 WHERE s.order_id = $1
 ORDER BY h.seq
