-- The tables of the loyalty module, which came later. Safe to run again: DDL commits by itself here, so a run that
-- was interrupted is repeated.

CREATE TABLE IF NOT EXISTS loyalty_account (
    buyer VARCHAR(100) NOT NULL CHECK (buyer <> ''),
    points BIGINT NOT NULL CHECK (points >= 0),
    PRIMARY KEY (buyer)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
