-- Half messages that ended more than $1 microseconds ago, the oldest first. Safe: reads only, bounded by $2.
SELECT message_id
  FROM outbox_half
 WHERE ended_at < clock_timestamp() - $1 * interval '1 microsecond'
 ORDER BY ended_at
 LIMIT $2
