-- The tables of the inventory module. It never reads those of orders: all it knows came in a message.

CREATE TABLE stock (
    merchant TEXT NOT NULL CHECK (merchant <> ''),
    sku TEXT NOT NULL CHECK (sku <> ''),
    -- What lies in the warehouse; of that, what may still be promised and what is set aside; and what has left it for buyers.
    on_hand INTEGER NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    available INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
    PRIMARY KEY (merchant, sku),
    CHECK (available + reserved = on_hand)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation (
    -- One answer per sub-order, for ever.
    sub_order_id BLOB NOT NULL,
    order_id BLOB NOT NULL,
    merchant TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    answered_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (sub_order_id),
    CHECK (state IN ('reserved', 'refused', 'released', 'sold')),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation_line (
    -- What is set aside for whom; a refused reservation has no lines.
    sub_order_id BLOB NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    merchant TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES reservation (sub_order_id),
    FOREIGN KEY (merchant, sku) REFERENCES stock (merchant, sku)
) STRICT, WITHOUT ROWID;
