-- Migration 4 (SQLite 3.37 or newer): half messages: prepared, and invisible to consumers until they are committed.
-- Safe to run with any migration tool, once, in one transaction.

INSERT INTO outbox_schema (version) VALUES (4);
