-- The tables of the inventory module. It never reads those of orders: all it knows came in a message. Safe to run
-- again: DDL commits by itself here, so a run that was interrupted is repeated.

CREATE TABLE IF NOT EXISTS stock (
    merchant VARCHAR(100) NOT NULL CHECK (merchant <> ''),
    sku VARCHAR(100) NOT NULL CHECK (sku <> ''),
    -- What lies in the warehouse; of that, what may still be promised and what is set aside; and what has left it for buyers.
    on_hand BIGINT NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    available BIGINT NOT NULL DEFAULT 0 CHECK (available >= 0),
    reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0),
    PRIMARY KEY (merchant, sku),
    CHECK (available + reserved = on_hand)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS reservation (
    -- One answer per sub-order, for ever.
    sub_order_id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    merchant VARCHAR(100) NOT NULL,
    state VARCHAR(24) NOT NULL,
    reason TEXT,
    answered_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (sub_order_id),
    CHECK (state IN ('reserved', 'refused', 'released', 'sold')),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS reservation_line (
    -- What is set aside for whom; a refused reservation has no lines.
    sub_order_id BINARY(16) NOT NULL,
    position INT NOT NULL CHECK (position >= 0),
    merchant VARCHAR(100) NOT NULL,
    sku VARCHAR(100) NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES reservation (sub_order_id),
    FOREIGN KEY (merchant, sku) REFERENCES stock (merchant, sku)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
