-- Adds points to a buyer's. Not harmless when repeated: the ledger keeps it from that. Safe: one row by its primary
-- key, decided by what is committed.
INSERT INTO loyalty_account (buyer, points) VALUES (?, ?)
    ON DUPLICATE KEY UPDATE points = points + VALUES(points)
