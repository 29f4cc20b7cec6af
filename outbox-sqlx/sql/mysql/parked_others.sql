-- Whether a key is parked, and how many dead letters it has beside one of them. Safe: reads only.
SELECT (SELECT COUNT(*) FROM outbox_dead d WHERE d.topic = p.topic AND d.message_key = p.message_key AND d.id <> k.id)
  FROM (SELECT ? AS topic, ? AS message_key, ? AS id) AS k
 STRAIGHT_JOIN outbox_parked p FORCE INDEX (PRIMARY) ON p.topic = k.topic AND p.message_key = k.message_key
