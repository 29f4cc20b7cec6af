-- Records of local work made more than ?1 microseconds ago, the oldest first. Safe: reads only, bounded by ?2.
SELECT message_id
  FROM outbox_half_local FORCE INDEX (outbox_half_local_recorded)
 WHERE recorded_at < UTC_TIMESTAMP(6) - INTERVAL ?1 MICROSECOND
 ORDER BY recorded_at
 LIMIT ?2
