-- The tables of the orders module. The law stands in the schema: whatever the program does, a state that makes no
-- sense can't be committed.

CREATE TABLE main_order (
    id            uuid        PRIMARY KEY,
    buyer         text        NOT NULL CHECK (buyer <> ''),
    state         text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'completed', 'refused')),
    -- What was asked for, in cents.
    placed_amount bigint      NOT NULL CHECK (placed_amount >= 0),
    -- What is to be paid: the sum of the sub-orders that were not refused.
    amount        bigint      NOT NULL CHECK (amount BETWEEN 0 AND placed_amount),
    placed_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'refused' OR amount = 0)
);

CREATE TABLE sub_order (
    id       uuid   PRIMARY KEY,
    order_id uuid   NOT NULL REFERENCES main_order (id),
    merchant text   NOT NULL CHECK (merchant <> ''),
    state    text   NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'reserved', 'refused')),
    -- Why it was refused.
    reason   text,
    amount   bigint NOT NULL CHECK (amount >= 0),
    UNIQUE (order_id, merchant),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);

-- For the recovery: what has no answer yet. Small, however many orders there were.
CREATE INDEX sub_order_pending ON sub_order (id) WHERE state = 'pending';

CREATE TABLE order_line (
    sub_order_id uuid    NOT NULL REFERENCES sub_order (id),
    position     integer NOT NULL CHECK (position >= 0),
    sku          text    NOT NULL CHECK (sku <> ''),
    quantity     bigint  NOT NULL CHECK (quantity > 0),
    unit_price   bigint  NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (sub_order_id, position)
);
