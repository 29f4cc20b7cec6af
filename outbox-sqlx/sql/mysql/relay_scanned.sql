-- How far relay_fetch_part.sql looked, where it did not stop at its limit: the last id, and how many rows. Safe: read in
-- the same transaction, and so of the same snapshot.
SELECT MAX(id), COUNT(*)
  FROM (SELECT id
          FROM outbox FORCE INDEX (PRIMARY)
         WHERE id > ?1
           AND id <= ?2
           AND due_at IS NULL
         ORDER BY id
         LIMIT ?3) AS scanned
