-- The tables of the shipping module.

CREATE TABLE shipment (
    sub_order_id uuid NOT NULL,
    order_id uuid NOT NULL,
    merchant text NOT NULL,
    state text NOT NULL,
    shipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (sub_order_id),
    CHECK (state IN ('shipped', 'delivered'))
);
