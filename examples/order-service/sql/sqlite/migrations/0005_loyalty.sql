-- The tables of the loyalty module, which came later.

CREATE TABLE loyalty_account (
    buyer TEXT NOT NULL CHECK (buyer <> ''),
    points INTEGER NOT NULL CHECK (points >= 0),
    PRIMARY KEY (buyer)
) STRICT, WITHOUT ROWID;
