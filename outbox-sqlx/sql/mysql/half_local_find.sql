-- What is recorded of a half message's local work. Safe: one row by its primary key; a locking read, because in an older
-- snapshot it would not be there.
SELECT outcome FROM outbox_half_local WHERE message_id = ?1 LOCK IN SHARE MODE
