-- The tables of the orders module. The law stands in the schema: whatever the program does, a state that makes no
-- sense can't be committed. Ids are the 16 bytes of a UUID.

CREATE TABLE main_order (
    id            BLOB    PRIMARY KEY,
    buyer         TEXT    NOT NULL CHECK (buyer <> ''),
    state         TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'completed', 'refused')),
    -- What was asked for, in cents.
    placed_amount INTEGER NOT NULL CHECK (placed_amount >= 0),
    -- What is to be paid: the sum of the sub-orders that were not refused.
    amount        INTEGER NOT NULL CHECK (amount BETWEEN 0 AND placed_amount),
    placed_at     TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    CHECK (state <> 'refused' OR amount = 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE sub_order (
    id       BLOB    PRIMARY KEY,
    order_id BLOB    NOT NULL REFERENCES main_order (id),
    merchant TEXT    NOT NULL CHECK (merchant <> ''),
    state    TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'reserved', 'refused')),
    -- Why it was refused.
    reason   TEXT,
    amount   INTEGER NOT NULL CHECK (amount >= 0),
    UNIQUE (order_id, merchant),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- For the recovery: what has no answer yet. Small, however many orders there were.
CREATE INDEX sub_order_pending ON sub_order (id) WHERE state = 'pending';

CREATE TABLE order_line (
    sub_order_id BLOB    NOT NULL REFERENCES sub_order (id),
    position     INTEGER NOT NULL CHECK (position >= 0),
    sku          TEXT    NOT NULL CHECK (sku <> ''),
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    unit_price   INTEGER NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (sub_order_id, position)
) STRICT, WITHOUT ROWID;
