-- The dead letters that are above the group's places, given as [queue, place] pairs, and died since it was put or moved
-- there: a group that was moved back gets the others again. Safe: reads only.
SELECT d.queue_id, d.queue_offset
  FROM json_each($2) AS e
  JOIN outbox_group_dead d
    ON d.group_id = $1 AND d.queue_id = (e.value ->> 0) AND d.queue_offset >= (e.value ->> 1)
  JOIN outbox_group_queue g ON g.group_id = d.group_id AND g.queue_id = d.queue_id AND d.died_at > g.placed_at
