-- Third step: removes the dead letters that were given back. Safe: same transaction.
DELETE FROM outbox_dead WHERE topic = $1 AND message_key = $2
