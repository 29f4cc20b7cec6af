-- Writes all lines of an order in one statement: [[sub-order, position, sku, quantity, price], …]. Safe: plain
-- insert.
INSERT INTO order_line (sub_order_id, position, sku, quantity, unit_price)
SELECT UNHEX(line.sub_order), line.position, line.sku, line.quantity, line.unit_price
  FROM JSON_TABLE(?, '$[*]' COLUMNS (sub_order CHAR(32) PATH '$[0]', position INT PATH '$[1]',
                                     sku VARCHAR(100) PATH '$[2]', quantity BIGINT PATH '$[3]',
                                     unit_price BIGINT PATH '$[4]')) AS line
