-- Migration 2 (MySQL 8.0.17 or newer, MariaDB 10.11 or newer): the durable queue.
INSERT IGNORE INTO outbox_schema (version) VALUES (2);
