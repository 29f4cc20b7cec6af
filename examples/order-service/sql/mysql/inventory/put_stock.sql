-- Sets how much a merchant has, whatever is reserved of it; changes nothing when more is reserved than that. Parameters:
-- merchant, sku, on hand, on hand. Safe: one row, decided by what is committed. put_stock_done.sql tells what came of it.
INSERT INTO stock (merchant, sku, on_hand, available, reserved) VALUES (?, ?, ?, ?, 0)
    ON DUPLICATE KEY UPDATE
       available = CASE WHEN VALUES(on_hand) >= reserved THEN VALUES(on_hand) - reserved ELSE available END,
       on_hand = CASE WHEN VALUES(on_hand) >= reserved THEN VALUES(on_hand) ELSE on_hand END
