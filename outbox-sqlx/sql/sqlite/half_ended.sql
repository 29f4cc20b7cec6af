-- Half messages that ended more than $1 microseconds ago, the oldest first. Safe: reads only, bounded by $2.
SELECT message_id
  FROM outbox_half
 WHERE ended_at < CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 - $1
 ORDER BY ended_at
 LIMIT $2
