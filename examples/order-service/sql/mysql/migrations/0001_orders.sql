-- The tables of the orders module. The law stands in the schema: whatever the program does, a state that makes no
-- sense can't be committed. Ids are the 16 bytes of a UUID; names compare by their bytes (MySQL and MariaDB each have a
-- collation for that, and each reads only its own of the two comments). Safe to run again: DDL commits by itself here, so
-- a run that was interrupted is repeated.

CREATE TABLE IF NOT EXISTS main_order (
    id            BINARY(16)   NOT NULL,
    buyer         VARCHAR(100) NOT NULL CHECK (buyer <> ''),
    state         VARCHAR(16)  NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'completed', 'refused')),
    -- What was asked for, in cents.
    placed_amount BIGINT       NOT NULL CHECK (placed_amount >= 0),
    -- What is to be paid: the sum of the sub-orders that were not refused.
    amount        BIGINT       NOT NULL,
    placed_at     DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (id),
    CHECK (amount BETWEEN 0 AND placed_amount),
    CHECK (state <> 'refused' OR amount = 0)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS sub_order (
    id       BINARY(16)   NOT NULL,
    order_id BINARY(16)   NOT NULL,
    merchant VARCHAR(100) NOT NULL CHECK (merchant <> ''),
    state    VARCHAR(16)  NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'reserved', 'refused')),
    -- Why it was refused.
    reason   TEXT,
    amount   BIGINT       NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (id),
    UNIQUE KEY sub_order_merchant (order_id, merchant),
    -- For the recovery: what has no answer yet, by id, which is part of every index. (An index can't be partial here.)
    KEY sub_order_state (state),
    FOREIGN KEY (order_id) REFERENCES main_order (id),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS order_line (
    sub_order_id BINARY(16)   NOT NULL,
    position     INT          NOT NULL CHECK (position >= 0),
    sku          VARCHAR(100) NOT NULL CHECK (sku <> ''),
    quantity     BIGINT       NOT NULL CHECK (quantity > 0),
    unit_price   BIGINT       NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES sub_order (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
