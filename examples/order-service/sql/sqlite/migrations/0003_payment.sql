-- The tables of the payment module, and the books of the payment provider's stand-in, which the module never reads.

CREATE TABLE payment (
    -- One try to pay for an order.
    id BLOB NOT NULL,
    order_id BLOB NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    state TEXT NOT NULL,
    reason TEXT,
    refunded_amount INTEGER NOT NULL DEFAULT 0,
    answered_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (id),
    CHECK (state IN ('captured', 'refused')),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (refunded_amount BETWEEN 0 AND amount),
    CHECK (state = 'captured' OR refunded_amount = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_order ON payment (order_id);

CREATE TABLE refund (
    id BLOB NOT NULL,
    payment_id BLOB NOT NULL,
    sub_order_id BLOB NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    paid_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (id),
    FOREIGN KEY (payment_id) REFERENCES payment (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE gateway_operation (
    -- The provider's: what it did under which key, and to which charge that belongs.
    idempotency_key BLOB NOT NULL,
    charge_key BLOB NOT NULL,
    kind TEXT NOT NULL,
    amount INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (idempotency_key),
    CHECK (kind IN ('charge', 'refund'))
) STRICT, WITHOUT ROWID;
