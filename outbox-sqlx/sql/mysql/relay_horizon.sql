-- The highest id handed out so far, visible or not; 0 before the first. Safe: reads the catalogue, which asks the table's
-- counter without moving it.
SELECT CAST(COALESCE(auto_increment, 1) AS SIGNED) - 1
  FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_name = 'outbox'
