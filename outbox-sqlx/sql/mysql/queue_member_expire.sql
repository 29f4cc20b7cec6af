-- Removes members whose lease has run out. Safe: one that renews at this moment is looked at again, and stays.
DELETE FROM outbox_group_member WHERE group_id = ?1 AND lease_until < UTC_TIMESTAMP(6)
