-- The books of a service that is at rest, as one row. It reads the tables of both modules, which only an auditor may.
-- Safe: reads only, one snapshot.
WITH told AS (
    -- What buyers were told is set aside for them.
    SELECT s.merchant, l.sku, CAST(sum(l.quantity) AS SIGNED) AS quantity
      FROM sub_order s JOIN order_line l ON l.sub_order_id = s.id
     WHERE s.state = 'reserved'
     GROUP BY s.merchant, l.sku
), taken AS (
    SELECT st.reserved, coalesce(t.quantity, 0) AS told
      FROM stock st LEFT JOIN told t ON t.merchant = st.merchant AND t.sku = st.sku
)
SELECT
    (SELECT count(*) FROM main_order),
    (SELECT count(*) FROM main_order WHERE state = 'pending'),
    (SELECT count(*) FROM main_order WHERE state = 'completed'),
    (SELECT count(DISTINCT order_id) FROM sub_order WHERE state = 'refused'),
    (SELECT count(*) FROM sub_order),
    (SELECT count(*) FROM reservation),
    (SELECT CAST(coalesce(sum(on_hand), 0) AS SIGNED) FROM stock),
    -- Taken more than once, and told though not taken, in units.
    (SELECT CAST(coalesce(sum(CASE WHEN reserved > told THEN reserved - told ELSE 0 END), 0) AS SIGNED) FROM taken),
    (SELECT CAST(coalesce(sum(CASE WHEN reserved < told THEN told - reserved ELSE 0 END), 0) AS SIGNED) FROM taken),
    -- Stock that does not add up.
    (SELECT count(*) FROM stock WHERE available + reserved <> on_hand OR available < 0 OR reserved < 0),
    -- Main orders that are not the sum of their sub-orders.
    (SELECT count(*) FROM main_order o
      WHERE o.placed_amount <> (SELECT coalesce(sum(amount), 0) FROM sub_order WHERE order_id = o.id)
         OR o.amount <> (SELECT coalesce(sum(amount), 0) FROM sub_order WHERE order_id = o.id AND state <> 'refused')),
    -- Sub-orders that were told something else than inventory decided.
    (SELECT count(*) FROM sub_order s LEFT JOIN reservation r ON r.sub_order_id = s.id
      WHERE s.state <> 'pending' AND (r.state IS NULL OR r.state <> s.state))
