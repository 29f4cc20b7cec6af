-- The tables of the loyalty module, which came later.

CREATE TABLE loyalty_account (
    buyer text NOT NULL CHECK (buyer <> ''),
    points bigint NOT NULL CHECK (points >= 0),
    PRIMARY KEY (buyer)
);
