-- Migration 3 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): confirmations: messages that wait for them, and those that came.
-- Safe to run with any migration tool, and safe to run again: DDL commits by itself here, so a run that was
-- interrupted is simply repeated.

-- Last, because it says that all of the above is there.
INSERT IGNORE INTO outbox_schema (version) VALUES (3);
