-- One stock item. Safe: reads only.
SELECT on_hand, available, reserved, sold FROM stock WHERE merchant = ? AND sku = ?
