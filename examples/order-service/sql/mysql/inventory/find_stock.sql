-- One stock item. Safe: reads only.
SELECT merchant, sku, on_hand, available, reserved FROM stock WHERE merchant = ? AND sku = ?
