-- Half messages that ended more than ?1 microseconds ago, the oldest first. Safe: reads only, bounded by ?2.
SELECT message_id
  FROM outbox_half FORCE INDEX (outbox_half_ended)
 WHERE ended_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
 ORDER BY ended_at
 LIMIT ?2
