-- Removes members whose lease has run out. Safe: one that renews at this moment is looked at again, and stays. Along the
-- index, because a walk over all of a small table would wait for members of other groups.
DELETE m FROM outbox_group_member AS m FORCE INDEX (PRIMARY) WHERE m.group_id = ?1 AND m.lease_until < UTC_TIMESTAMP(6)
