-- Last step of a redrive: messages of the key are delivered again. Safe: same transaction as the redrive.
DELETE FROM outbox_parked WHERE topic = ? AND message_key = ?
