-- Notes that a group has members. Safe: for people only.
UPDATE outbox_group SET seen_at = UTC_TIMESTAMP(6) WHERE id = ?1
