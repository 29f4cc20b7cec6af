-- Joins a group, or joins again, for $4 microseconds. Safe: one row of its own.
INSERT INTO outbox_group_member (group_id, member, topics, lease_until)
VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 microsecond')
ON CONFLICT (group_id, member) DO UPDATE SET topics = excluded.topics, lease_until = excluded.lease_until
