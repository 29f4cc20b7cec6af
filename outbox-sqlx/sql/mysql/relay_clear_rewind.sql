-- Clears a rewind that was followed. Safe: one that was set again meanwhile has another value and stays.
UPDATE outbox_shard SET rewind_to = NULL WHERE shard = ?2 AND owner = ?1 AND rewind_to = ?3
