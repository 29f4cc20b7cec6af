-- Pauses a group, or lets it go on. Safe: members notice by the counter.
UPDATE outbox_group SET paused = ?2, changes = changes + 1 WHERE name = ?1
