-- A buyer's points. Safe: reads only.
SELECT points FROM loyalty_account WHERE buyer = ?
