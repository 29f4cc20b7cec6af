-- Writes a stock item that was locked before. Safe: the row is locked by this transaction.
UPDATE stock SET on_hand = ?, available = ?, reserved = ?, sold = ? WHERE merchant = ? AND sku = ?
