-- Queues whose owners are gone without giving them back, and where each ends. Safe: reads only, under the group's lock, so
-- what has no member now gets none meanwhile.
SELECT g.queue_id::bigint, q.next_offset
  FROM outbox_group_queue g
  JOIN outbox_queue q ON q.id = g.queue_id
 WHERE g.group_id = $1
   AND g.owner IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM outbox_group_member m WHERE m.group_id = g.group_id AND m.member = g.owner)
 ORDER BY g.queue_id
