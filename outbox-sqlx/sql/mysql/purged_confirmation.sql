-- Removes the confirmation of message ?1 by group ?2. Safe: one row by its key.
DELETE FROM outbox_confirmation WHERE message_id = ?1 AND group_name = ?2
