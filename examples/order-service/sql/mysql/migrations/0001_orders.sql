-- The tables of the orders module. The law stands in the schema: whatever the program does, a state that makes no
-- sense can't be committed. All amounts are in cents. Safe to run again: DDL commits by itself here, so a run that
-- was interrupted is repeated.

CREATE TABLE IF NOT EXISTS main_order (
    id BINARY(16) NOT NULL,
    buyer VARCHAR(100) NOT NULL CHECK (buyer <> ''),
    state VARCHAR(24) NOT NULL DEFAULT 'pending',
    -- Why it was cancelled, or why the last try to pay failed.
    reason TEXT,
    -- Whether the buyer wants nothing unless he can have all of it.
    all_or_nothing BOOLEAN NOT NULL,
    -- What was asked for; what is to be paid, the sum of the sub-orders that were not refused; what was captured; what went back.
    placed_amount BIGINT NOT NULL CHECK (placed_amount >= 0),
    amount BIGINT NOT NULL,
    captured_amount BIGINT NOT NULL DEFAULT 0,
    refunded_amount BIGINT NOT NULL DEFAULT 0,
    -- The last try to pay; what it is paid with, a token of the payment provider; until when; and whether that has passed while payment was at it.
    payment_id BINARY(16),
    payment_method VARCHAR(100),
    pay_by DATETIME(6),
    overdue BOOLEAN NOT NULL DEFAULT FALSE,
    placed_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    CHECK (state IN ('pending', 'awaiting_payment', 'paying', 'paid', 'completed', 'cancelled')),
    CHECK (amount BETWEEN 0 AND placed_amount),
    CHECK (captured_amount IN (0, amount)),
    CHECK (refunded_amount BETWEEN 0 AND captured_amount),
    CHECK (state <> 'cancelled' OR (amount = 0 AND reason IS NOT NULL)),
    CHECK (state NOT IN ('paying', 'paid', 'completed') OR payment_id IS NOT NULL),
    CHECK (state IN ('paid', 'completed') OR captured_amount = 0),
    CHECK (state NOT IN ('paid', 'completed') OR captured_amount = amount),
    KEY main_order_pay_by (state, pay_by)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS sub_order (
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    merchant VARCHAR(100) NOT NULL CHECK (merchant <> ''),
    state VARCHAR(24) NOT NULL DEFAULT 'pending',
    -- Why it was refused.
    reason TEXT,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    -- What of the captured amount is for it; what of that was asked back; and what went back.
    paid_amount BIGINT NOT NULL DEFAULT 0,
    refund_requested BIGINT NOT NULL DEFAULT 0,
    refunded_amount BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (id),
    UNIQUE (order_id, merchant),
    FOREIGN KEY (order_id) REFERENCES main_order (id),
    CHECK (state IN ('pending', 'reserved', 'refused', 'released', 'paid', 'shipped', 'delivered')),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (paid_amount = CASE WHEN state IN ('paid', 'shipped', 'delivered') THEN amount ELSE 0 END),
    CHECK (refunded_amount BETWEEN 0 AND refund_requested),
    CHECK (refund_requested <= paid_amount)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS order_line (
    sub_order_id BINARY(16) NOT NULL,
    position INT NOT NULL CHECK (position >= 0),
    sku VARCHAR(100) NOT NULL CHECK (sku <> ''),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    unit_price BIGINT NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES sub_order (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
