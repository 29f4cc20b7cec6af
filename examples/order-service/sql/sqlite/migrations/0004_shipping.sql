-- The tables of the shipping module.

CREATE TABLE shipment (
    sub_order_id BLOB NOT NULL,
    order_id BLOB NOT NULL,
    merchant TEXT NOT NULL,
    state TEXT NOT NULL,
    shipped_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (sub_order_id),
    CHECK (state IN ('shipped', 'delivered'))
) STRICT, WITHOUT ROWID;
