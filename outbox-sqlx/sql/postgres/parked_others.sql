-- Whether a key is parked, and how many dead letters it has beside one of them. Safe: reads only.
SELECT (SELECT count(*) FROM outbox_dead d WHERE d.topic = p.topic AND d.message_key = p.message_key AND d.id <> $3)
  FROM outbox_parked p
 WHERE p.topic = $1 AND p.message_key = $2
