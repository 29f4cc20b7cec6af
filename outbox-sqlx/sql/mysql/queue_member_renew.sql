-- Renews a member's lease by ?3 microseconds. Safe: a member that was removed stays so and learns it.
UPDATE outbox_group_member
   SET lease_until = UTC_TIMESTAMP(6) + INTERVAL ?3 MICROSECOND
 WHERE group_id = ?1
   AND member = ?2
