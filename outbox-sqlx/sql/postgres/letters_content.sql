-- Payload and headers of one of the outbox's dead letters, as they are stored. Safe: reads only.
SELECT payload, headers::text FROM outbox_dead WHERE id = $1
