-- The journal: which messages belong to an order, and who has handled them.

CREATE TABLE journal_sent (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL,
    order_id BLOB NOT NULL,
    sub_order_id BLOB,
    topic TEXT NOT NULL,
    -- What it says, in a word; and the trace it belongs to.
    name TEXT NOT NULL,
    trace_id TEXT,
    sent_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (message_id)
) STRICT;
CREATE INDEX journal_sent_order ON journal_sent (order_id);

CREATE TABLE journal_handled (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL,
    group_name TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    handled_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (message_id, group_name)
) STRICT;
