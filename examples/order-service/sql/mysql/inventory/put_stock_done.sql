-- What put_stock.sql has made of an article: no row when more is reserved than the merchant has, because then on_hand is
-- at least that. Safe: reads its own transaction's row, locked by it.
SELECT merchant, sku, on_hand, available, reserved FROM stock WHERE merchant = ? AND sku = ? AND on_hand = ? FOR UPDATE
