-- Which of these rows have a parked key. Safe: read inside of BEGIN IMMEDIATE.
SELECT o.id
  FROM json_each(?1) AS r
 CROSS JOIN outbox o ON o.id = r.value
  JOIN outbox_parked p ON p.topic = o.topic AND p.message_key = o.message_key
