-- Migration 3 (SQLite 3.37 or newer): confirmations: messages that wait for them, and those that came.
-- Safe to run with any migration tool, once, in one transaction.

INSERT INTO outbox_schema (version) VALUES (3);
