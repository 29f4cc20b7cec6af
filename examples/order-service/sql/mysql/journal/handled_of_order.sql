-- Who has handled the messages of an order. Safe: reads only.
SELECT h.message_id, h.group_name, CAST(h.attempt AS SIGNED), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', h.handled_at)
  FROM journal_sent s
  JOIN journal_handled h ON h.message_id = s.message_id
 WHERE s.order_id = ?
 ORDER BY h.seq
