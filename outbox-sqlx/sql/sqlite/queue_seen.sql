-- Notes that a group has members. Safe: for people only.
UPDATE outbox_group SET seen_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 WHERE id = $1
