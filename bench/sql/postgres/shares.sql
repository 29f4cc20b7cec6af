-- How many relays own shards, and the least and the most shards of one. Safe: reads a table of 64 rows.
SELECT count(*), coalesce(min(shards), 0), coalesce(max(shards), 0)
  FROM (SELECT count(*) AS shards
          FROM outbox_shard
         WHERE owner IS NOT NULL
         GROUP BY owner) AS owned
