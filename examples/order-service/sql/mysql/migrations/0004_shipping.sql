-- The tables of the shipping module. Safe to run again: DDL commits by itself here, so a run that was interrupted is
-- repeated.

CREATE TABLE IF NOT EXISTS shipment (
    sub_order_id BINARY(16) NOT NULL,
    order_id BINARY(16) NOT NULL,
    merchant VARCHAR(100) NOT NULL,
    state VARCHAR(24) NOT NULL,
    shipped_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (sub_order_id),
    CHECK (state IN ('shipped', 'delivered'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
