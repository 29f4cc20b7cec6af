-- The tables of the inventory module. It never reads those of orders: all it knows came in a message.

CREATE TABLE stock (
    merchant text NOT NULL CHECK (merchant <> ''),
    sku text NOT NULL CHECK (sku <> ''),
    -- What lies in the warehouse; of that, what may still be promised and what is set aside; and what has left it for buyers.
    on_hand bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    available bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    PRIMARY KEY (merchant, sku),
    CHECK (available + reserved = on_hand)
);

CREATE TABLE reservation (
    -- One answer per sub-order, for ever.
    sub_order_id uuid NOT NULL,
    order_id uuid NOT NULL,
    merchant text NOT NULL,
    state text NOT NULL,
    reason text,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (sub_order_id),
    CHECK (state IN ('reserved', 'refused', 'released', 'sold')),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);

CREATE TABLE reservation_line (
    -- What is set aside for whom; a refused reservation has no lines.
    sub_order_id uuid NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    merchant text NOT NULL,
    sku text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (sub_order_id) REFERENCES reservation (sub_order_id),
    FOREIGN KEY (merchant, sku) REFERENCES stock (merchant, sku)
);
