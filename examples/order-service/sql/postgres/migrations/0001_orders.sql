-- The tables of the orders module. The law stands in the schema: whatever the program does, a state that makes no
-- sense can't be committed. All amounts are in cents.

CREATE TABLE main_order (
    id uuid NOT NULL,
    buyer text NOT NULL CHECK (buyer <> ''),
    state text NOT NULL DEFAULT 'pending',
    -- Why it was cancelled, or why the last try to pay failed.
    reason text,
    -- Whether the buyer wants nothing unless he can have all of it.
    all_or_nothing boolean NOT NULL,
    -- What was asked for; what is to be paid, the sum of the sub-orders that were not refused; what was captured; what went back.
    placed_amount bigint NOT NULL CHECK (placed_amount >= 0),
    amount bigint NOT NULL,
    captured_amount bigint NOT NULL DEFAULT 0,
    refunded_amount bigint NOT NULL DEFAULT 0,
    -- The last try to pay; what it is paid with, a token of the payment provider; until when; and whether that has passed while payment was at it.
    payment_id uuid,
    payment_method text,
    pay_by timestamptz,
    overdue boolean NOT NULL DEFAULT false,
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id),
    CHECK (state IN ('pending', 'awaiting_payment', 'paying', 'paid', 'completed', 'cancelled')),
    CHECK (amount BETWEEN 0 AND placed_amount),
    CHECK (captured_amount IN (0, amount)),
    CHECK (refunded_amount BETWEEN 0 AND captured_amount),
    CHECK (state <> 'cancelled' OR (amount = 0 AND reason IS NOT NULL)),
    CHECK (state NOT IN ('paying', 'paid', 'completed') OR payment_id IS NOT NULL),
    CHECK (state IN ('paid', 'completed') OR captured_amount = 0),
    CHECK (state NOT IN ('paid', 'completed') OR captured_amount = amount)
);
CREATE INDEX main_order_pay_by ON main_order (pay_by) WHERE state = 'awaiting_payment';

CREATE TABLE sub_order (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    merchant text NOT NULL CHECK (merchant <> ''),
    state text NOT NULL DEFAULT 'pending',
    -- Why it was refused.
    reason text,
    amount bigint NOT NULL CHECK (amount >= 0),
    -- What of the captured amount is for it; what of that was asked back; and what went back.
    paid_amount bigint NOT NULL DEFAULT 0,
    refund_requested bigint NOT NULL DEFAULT 0,
    refunded_amount bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (id),
    UNIQUE (order_id, merchant),
    FOREIGN KEY (order_id) REFERENCES main_order (id),
    CHECK (state IN ('pending', 'reserved', 'refused', 'released', 'paid', 'shipped', 'delivered')),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (paid_amount = CASE WHEN state IN ('paid', 'shipped', 'delivered') THEN amount ELSE 0 END),
    CHECK (refunded_amount BETWEEN 0 AND refund_requested),
    CHECK (refund_requested <= paid_amount)
);

CREATE TABLE order_line (
    sub_order_id uuid NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    sku text NOT NULL CHECK (sku <> ''),
    quantity bigint NOT NULL CHECK (quantity > 0),
    unit_price bigint NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES sub_order (id)
);
