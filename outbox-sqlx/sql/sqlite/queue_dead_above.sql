-- The dead letters that are above the group's places, given as [queue, place] pairs. Safe: reads only.
SELECT d.queue_id, d.queue_offset
  FROM json_each($2) AS e
  JOIN outbox_group_dead d
    ON d.group_id = $1 AND d.queue_id = (e.value ->> 0) AND d.queue_offset >= (e.value ->> 1)
