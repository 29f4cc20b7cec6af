-- How many relays own shards, and the least and the most shards of one. Safe: reads a table of 64 rows.
SELECT COUNT(*), COALESCE(MIN(shards), 0), COALESCE(MAX(shards), 0)
  FROM (SELECT COUNT(*) AS shards
          FROM outbox_shard
         WHERE owner IS NOT NULL
         GROUP BY owner) AS owned
