-- The journal: which messages belong to an order, and who has handled them.

CREATE TABLE journal_sent (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    order_id uuid NOT NULL,
    sub_order_id uuid,
    topic text NOT NULL,
    -- What it says, in a word; and the trace it belongs to.
    name text NOT NULL,
    trace_id text,
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (message_id)
);
CREATE INDEX journal_sent_order ON journal_sent (order_id);

CREATE TABLE journal_handled (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    group_name text NOT NULL,
    attempt bigint NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (message_id, group_name)
);
