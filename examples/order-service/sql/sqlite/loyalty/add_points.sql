-- Adds points to a buyer's. Not harmless when repeated: the ledger keeps it from that.
INSERT INTO loyalty_account (buyer, points) VALUES ($1, $2)
ON CONFLICT (buyer) DO UPDATE SET points = loyalty_account.points + excluded.points
