-- Writes all sub-orders of an order in one statement: order, [[id, merchant, amount], …]. Safe: plain insert.
INSERT INTO sub_order (order_id, id, merchant, amount)
SELECT ?, UNHEX(part.id), part.merchant, part.amount
  FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', merchant VARCHAR(100) PATH '$[1]',
                                     amount BIGINT PATH '$[2]')) AS part
