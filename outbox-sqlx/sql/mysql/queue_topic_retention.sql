-- Says how long a topic's messages are kept at least, in microseconds. Safe: one row.
UPDATE outbox_topic SET retention = ?2 WHERE name = ?1
