-- Payload and headers of one of the outbox's dead letters, as they are stored. Safe: reads only.
SELECT CAST(payload AS BLOB), headers FROM outbox_dead WHERE id = $1
