-- Tells whether this server and this schema can be relayed at all. Safe: it only looks into the catalogue.
SELECT @@global.read_only NOT IN ('0', 'OFF'),
       (SELECT COUNT(*)
          FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name IN ('outbox', 'outbox_schema')) = 2
