-- Takes those of the queues ?2 that are free, each under a new epoch; then reads what was taken. Safe: of two only one finds a
-- queue free, and none of the list was this member's before, which the group's lock keeps so.
UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = wanted.queue_id
   SET g.owner = ?3, g.epoch = g.epoch + 1
 WHERE g.owner IS NULL;
SELECT g.queue_id, g.epoch, g.read_offset, g.deaths, g.suspect_to
  FROM JSON_TABLE(?2, '$[*]' COLUMNS (queue_id INT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox_group_queue g FORCE INDEX (PRIMARY) ON g.group_id = ?1 AND g.queue_id = wanted.queue_id
 WHERE g.owner = ?3
