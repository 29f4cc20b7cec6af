-- The same for ids that lie close together, the usual case: one walk along the index instead of one descent
-- per id. Safe: what else lies between them is left alone. (IS TRUE keeps the list a hash that is probed.)
DELETE FROM outbox
 WHERE id >= $2
   AND id <= $3
   AND (id IN (SELECT unnest($1::bigint[]))) IS TRUE
