-- Locks those of the rows ?1 (a JSON list) that are still there, and says which. Safe: rows by their primary key; only
-- relays that believe to own them and operators touch rows that are there.
SELECT o.id
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
 STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = wanted.id
   FOR UPDATE /*!80000 OF o */
