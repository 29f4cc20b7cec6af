-- Records of local work made more than $1 microseconds ago, the oldest first. Safe: reads only, bounded by $2.
SELECT message_id
  FROM outbox_half_local
 WHERE recorded_at < clock_timestamp() - $1 * interval '1 microsecond'
 ORDER BY recorded_at
 LIMIT $2
