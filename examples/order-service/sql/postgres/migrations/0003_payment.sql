-- The tables of the payment module, and the books of the payment provider's stand-in, which the module never reads.

CREATE TABLE payment (
    -- One try to pay for an order.
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    state text NOT NULL,
    reason text,
    refunded_amount bigint NOT NULL DEFAULT 0,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id),
    CHECK (state IN ('captured', 'refused')),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (refunded_amount BETWEEN 0 AND amount),
    CHECK (state = 'captured' OR refunded_amount = 0)
);
CREATE INDEX payment_order ON payment (order_id);

CREATE TABLE refund (
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    sub_order_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    paid_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id),
    FOREIGN KEY (payment_id) REFERENCES payment (id)
);

CREATE TABLE gateway_operation (
    -- The provider's: what it did under which key, and to which charge that belongs.
    idempotency_key uuid NOT NULL,
    charge_key uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    outcome text NOT NULL,
    PRIMARY KEY (idempotency_key),
    CHECK (kind IN ('charge', 'refund'))
);
