-- The dead letters that are above the group's places, given as [queue, place] pairs, and died since it was put or moved
-- there: a group that was moved back gets the others again. Safe: reads only.
SELECT d.queue_id, d.queue_offset
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$[0]', place BIGINT PATH '$[1]')) AS e
 STRAIGHT_JOIN outbox_group_queue g ON g.group_id = ?1 AND g.queue_id = e.queue_id
 STRAIGHT_JOIN outbox_group_dead d ON d.group_id = ?1 AND d.queue_id = e.queue_id
 WHERE d.queue_offset >= e.place
   AND d.died_at > g.placed_at
