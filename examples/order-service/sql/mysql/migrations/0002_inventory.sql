-- The tables of the inventory module. It never reads those of orders: all it knows came in a message. Safe to run again,
-- as the one before.

CREATE TABLE IF NOT EXISTS stock (
    merchant  VARCHAR(100) NOT NULL CHECK (merchant <> ''),
    sku       VARCHAR(100) NOT NULL CHECK (sku <> ''),
    -- What lies in the merchant's warehouse; changed by the merchant alone.
    on_hand   BIGINT       NOT NULL CHECK (on_hand >= 0),
    -- Of these: what may still be promised, and what is set aside for sub-orders.
    available BIGINT       NOT NULL CHECK (available >= 0),
    reserved  BIGINT       NOT NULL CHECK (reserved >= 0),
    PRIMARY KEY (merchant, sku),
    CHECK (available + reserved = on_hand)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS reservation (
    -- One answer per sub-order, for ever: this key is what makes a repeated request harmless.
    sub_order_id BINARY(16)   NOT NULL,
    order_id     BINARY(16)   NOT NULL,
    -- The message that asked first.
    request_id   BINARY(16)   NOT NULL,
    merchant     VARCHAR(100) NOT NULL,
    state        VARCHAR(16)  NOT NULL CHECK (state IN ('reserved', 'refused')),
    reason       TEXT,
    answered_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (sub_order_id),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;

-- What is set aside for whom; a refused reservation has no lines.
CREATE TABLE IF NOT EXISTS reservation_line (
    sub_order_id BINARY(16)   NOT NULL,
    position     INT          NOT NULL CHECK (position >= 0),
    merchant     VARCHAR(100) NOT NULL,
    sku          VARCHAR(100) NOT NULL,
    quantity     BIGINT       NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES reservation (sub_order_id),
    FOREIGN KEY (merchant, sku) REFERENCES stock (merchant, sku)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
