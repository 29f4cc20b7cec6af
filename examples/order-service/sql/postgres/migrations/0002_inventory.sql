-- The tables of the inventory module. It never reads those of orders: all it knows came in a message.

CREATE TABLE stock (
    merchant  text   NOT NULL CHECK (merchant <> ''),
    sku       text   NOT NULL CHECK (sku <> ''),
    -- What lies in the merchant's warehouse; changed by the merchant alone.
    on_hand   bigint NOT NULL CHECK (on_hand >= 0),
    -- Of these: what may still be promised, and what is set aside for sub-orders.
    available bigint NOT NULL CHECK (available >= 0),
    reserved  bigint NOT NULL CHECK (reserved >= 0),
    PRIMARY KEY (merchant, sku),
    CHECK (available + reserved = on_hand)
);

CREATE TABLE reservation (
    -- One answer per sub-order, for ever: this key is what makes a repeated request harmless.
    sub_order_id uuid        PRIMARY KEY,
    order_id     uuid        NOT NULL,
    -- The message that asked first.
    request_id   uuid        NOT NULL,
    merchant     text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('reserved', 'refused')),
    reason       text,
    answered_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);

-- What is set aside for whom; a refused reservation has no lines.
CREATE TABLE reservation_line (
    sub_order_id uuid    NOT NULL REFERENCES reservation (sub_order_id),
    position     integer NOT NULL CHECK (position >= 0),
    merchant     text    NOT NULL,
    sku          text    NOT NULL,
    quantity     bigint  NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (sub_order_id, position),
    FOREIGN KEY (merchant, sku) REFERENCES stock (merchant, sku)
);
