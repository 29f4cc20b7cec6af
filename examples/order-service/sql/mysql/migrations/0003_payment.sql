-- The tables of the payment module, and the books of the payment provider's stand-in, which the module never reads.
-- Safe to run again: DDL commits by itself here, so a run that was interrupted is repeated.

CREATE TABLE IF NOT EXISTS payment (
    -- One try to pay for an order.
    id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    state VARCHAR(24) NOT NULL,
    reason TEXT,
    refunded_amount BIGINT NOT NULL DEFAULT 0,
    answered_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    CHECK (state IN ('captured', 'refused')),
    CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CHECK (refunded_amount BETWEEN 0 AND amount),
    CHECK (state = 'captured' OR refunded_amount = 0),
    KEY payment_order (order_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS refund (
    id BINARY(16) NOT NULL,
    payment_id BINARY(16) NOT NULL,
    sub_order_id BINARY(16) NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    paid_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    FOREIGN KEY (payment_id) REFERENCES payment (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS gateway_operation (
    -- The provider's: what it did under which key, and to which charge that belongs.
    idempotency_key BINARY(16) NOT NULL,
    charge_key BINARY(16) NOT NULL,
    kind VARCHAR(24) NOT NULL,
    amount BIGINT NOT NULL,
    outcome VARCHAR(100) NOT NULL,
    PRIMARY KEY (idempotency_key),
    CHECK (kind IN ('charge', 'refund'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
