-- The half messages of topic $1 that are due for a check, those first that are due longest. Safe: reads only, bounded by $2;
-- only prepared ones have a time, and each is claimed before it is asked after.
SELECT message_id
  FROM outbox_half
 WHERE topic = $1
   AND next_check_at <= clock_timestamp()
 ORDER BY next_check_at
 LIMIT $2
