-- Renews a member's lease by $3 microseconds. Safe: a member that was removed stays so and learns it.
UPDATE outbox_group_member
   SET lease_until = clock_timestamp() + $3 * interval '1 microsecond'
 WHERE group_id = $1
   AND member = $2
