-- The dead letters of a queue that are above the group's place. Safe: reads only.
SELECT queue_offset FROM outbox_group_dead WHERE group_id = $1 AND queue_id = $2 AND queue_offset >= $3
