-- The consumer group that follows a name, by bytes as the program compares. Safe: reads only, one row.
SELECT name FROM outbox_group WHERE name > $1 ORDER BY name LIMIT 1
