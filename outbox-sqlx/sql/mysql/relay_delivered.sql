-- Settles delivered rows (?1, a JSON list of ids). Safe without a fence: whoever deletes them, they were delivered; a row
-- that is gone already is not missed. A join, so that each row is looked up: with `id IN (…)` MariaDB reads all of a small
-- table whatever index it is told to use, and waits there for rows that applications have not committed yet.
DELETE o
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS delivered
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = delivered.id
