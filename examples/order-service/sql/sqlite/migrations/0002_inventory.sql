-- The tables of the inventory module. It never reads those of orders: all it knows came in a message.

CREATE TABLE stock (
    merchant  TEXT    NOT NULL CHECK (merchant <> ''),
    sku       TEXT    NOT NULL CHECK (sku <> ''),
    -- What lies in the merchant's warehouse; changed by the merchant alone.
    on_hand   INTEGER NOT NULL CHECK (on_hand >= 0),
    -- Of these: what may still be promised, and what is set aside for sub-orders.
    available INTEGER NOT NULL CHECK (available >= 0),
    reserved  INTEGER NOT NULL CHECK (reserved >= 0),
    PRIMARY KEY (merchant, sku),
    CHECK (available + reserved = on_hand)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation (
    -- One answer per sub-order, for ever: this key is what makes a repeated request harmless.
    sub_order_id BLOB PRIMARY KEY,
    order_id     BLOB NOT NULL,
    -- The message that asked first.
    request_id   BLOB NOT NULL,
    merchant     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('reserved', 'refused')),
    reason       TEXT,
    answered_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- What is set aside for whom; a refused reservation has no lines.
CREATE TABLE reservation_line (
    sub_order_id BLOB    NOT NULL REFERENCES reservation (sub_order_id),
    position     INTEGER NOT NULL CHECK (position >= 0),
    merchant     TEXT    NOT NULL,
    sku          TEXT    NOT NULL,
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (merchant, sku) REFERENCES stock (merchant, sku)
) STRICT, WITHOUT ROWID;
