-- Makes a group. Safe: one that is there stays as it is.
INSERT INTO outbox_group (name) VALUES (?1) ON DUPLICATE KEY UPDATE name = name
