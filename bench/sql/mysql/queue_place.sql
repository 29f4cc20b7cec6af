-- Every group is at this offset again, in each queue. Safe: no group has a member.
UPDATE outbox_group_queue SET read_offset = ?
