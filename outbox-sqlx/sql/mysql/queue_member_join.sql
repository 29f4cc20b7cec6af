-- Joins a group, or joins again, for ?4 microseconds. Safe: one row of its own.
INSERT INTO outbox_group_member (group_id, member, topics, lease_until)
VALUES (?1, ?2, ?3, UTC_TIMESTAMP(6) + INTERVAL ?4 MICROSECOND)
    ON DUPLICATE KEY UPDATE topics = ?3, lease_until = UTC_TIMESTAMP(6) + INTERVAL ?4 MICROSECOND
