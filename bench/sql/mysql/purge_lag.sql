-- How many transactions have left something to be purged. Safe: reads a counter; asks for the privilege PROCESS.
SELECT CAST(count AS SIGNED) FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'
