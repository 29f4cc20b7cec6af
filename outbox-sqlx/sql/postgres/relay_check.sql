-- Tells whether this server and this schema can be relayed at all. Safe: it only looks into the catalogue.
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only,
       to_regclass('outbox') IS NOT NULL AND to_regclass('outbox_schema') IS NOT NULL AS installed,
       current_setting('server_encoding') = 'UTF8' AS utf8
