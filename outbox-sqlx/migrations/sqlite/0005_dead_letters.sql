-- Migration 5 (SQLite 3.37 or newer): what operators did with dead letters, and why.
-- Safe to run with any migration tool, once, in one transaction.

INSERT INTO outbox_schema (version) VALUES (5);
