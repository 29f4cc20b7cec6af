-- One stock item.
SELECT merchant, sku, on_hand, available, reserved FROM stock WHERE merchant = $1 AND sku = $2
