-- The half messages of topic $1 that are due for a check, those first that are due longest. Safe: reads only, bounded by $2;
-- only prepared ones have a time, and each is claimed before it is asked after.
SELECT message_id
  FROM outbox_half
 WHERE topic = $1
   AND next_check_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
 ORDER BY next_check_at
 LIMIT $2
