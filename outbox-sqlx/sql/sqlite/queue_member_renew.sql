-- Renews a member's lease by $3 microseconds. Safe: a member that was removed stays so and learns it.
UPDATE outbox_group_member
   SET lease_until = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + $3
 WHERE group_id = $1
   AND member = $2
