-- Writes a stock item that was locked before.
UPDATE stock SET on_hand = $1, available = $2, reserved = $3, sold = $4 WHERE merchant = $5 AND sku = $6
