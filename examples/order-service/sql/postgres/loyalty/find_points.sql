-- A buyer's points.
SELECT points FROM loyalty_account WHERE buyer = $1
