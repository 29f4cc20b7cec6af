-- One stock item.
SELECT on_hand, available, reserved, sold FROM stock WHERE merchant = $1 AND sku = $2
