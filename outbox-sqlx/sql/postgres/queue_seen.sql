-- Notes that a group has members. Safe: for people only.
UPDATE outbox_group SET seen_at = clock_timestamp() WHERE id = $1
