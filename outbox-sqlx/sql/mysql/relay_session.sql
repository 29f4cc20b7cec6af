-- Settles how the sessions of relays and of queues' members read, lock and wait. READ COMMITTED: locks are on rows, never
-- on the gaps into which applications insert. Strict, so that nothing is cut to fit; zero dates may be read, because
-- foreign code may have written them. Lists of more than a thousand ids stay lists on MariaDB. What the catalogue says of
-- the next id is asked for and not remembered on MySQL. Safe: this session only; each server reads its own comment.
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
    innodb_lock_wait_timeout = 10,
    wait_timeout = 60,
    net_read_timeout = 30,
    net_write_timeout = 30
    /*M! , max_statement_time = 30, idle_transaction_timeout = 30, in_predicate_conversion_threshold = 0 */
    /*!80000 , max_execution_time = 30000, information_schema_stats_expiry = 0 */
