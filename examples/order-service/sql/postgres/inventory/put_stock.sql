-- Sets how much a merchant has, whatever is reserved of it; no row comes back when more is reserved than that.
INSERT INTO stock (merchant, sku, on_hand, available, reserved) VALUES ($1, $2, $3, $3, 0)
ON CONFLICT (merchant, sku) DO UPDATE
   SET on_hand = excluded.on_hand, available = excluded.on_hand - stock.reserved
 WHERE excluded.on_hand >= stock.reserved
RETURNING merchant, sku, on_hand, available, reserved
