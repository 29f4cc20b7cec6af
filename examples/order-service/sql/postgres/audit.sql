-- The books of a service that is at rest, as one row. It reads the tables of all modules, of the payment provider and of the
-- outbox, which only an auditor may.
WITH told AS (
    -- What buyers were told of their stock: what is set aside for them, and what is on its way to them or was.
    SELECT s.merchant, l.sku,
           CAST(sum(CASE WHEN s.state IN ('reserved', 'paid') THEN l.quantity ELSE 0 END) AS bigint) AS reserved,
           CAST(sum(CASE WHEN s.state IN ('shipped', 'delivered') THEN l.quantity ELSE 0 END) AS bigint) AS sold
      FROM sub_order s JOIN order_line l ON l.sub_order_id = s.id
     GROUP BY s.merchant, l.sku
), shelf AS (
    SELECT st.reserved, st.sold, coalesce(t.reserved, 0) AS told_reserved, coalesce(t.sold, 0) AS told_sold
      FROM stock st LEFT JOIN told t ON t.merchant = st.merchant AND t.sku = st.sku
), parts AS (
    SELECT order_id, sum(amount) AS placed, sum(CASE WHEN state = 'refused' THEN 0 ELSE amount END) AS wanted,
           sum(paid_amount) AS paid, sum(refunded_amount) AS refunded
      FROM sub_order GROUP BY order_id
), refunds AS (
    SELECT payment_id, sum(amount) AS amount FROM refund GROUP BY payment_id
), given_back AS (
    SELECT charge_key, sum(amount) AS amount FROM gateway_operation WHERE kind = 'refund' GROUP BY charge_key
), shipments AS (
    -- The requests for the shipments of an order, as they were sent and as they were handled.
    SELECT s.order_id, row_number() OVER (PARTITION BY s.order_id ORDER BY s.seq) AS sent,
           row_number() OVER (PARTITION BY s.order_id ORDER BY h.seq) AS handled
      FROM journal_sent s JOIN journal_handled h ON h.message_id = s.message_id AND h.group_name = 'shipping'
     WHERE s.topic = 'shipping.commands'
)
SELECT
    (SELECT count(*) FROM main_order) AS orders,
    (SELECT count(*) FROM main_order WHERE state = 'pending') AS pending,
    (SELECT count(*) FROM main_order WHERE state = 'awaiting_payment') AS awaiting_payment,
    (SELECT count(*) FROM main_order WHERE state = 'paying') AS paying,
    (SELECT count(*) FROM main_order WHERE state = 'paid') AS paid,
    (SELECT count(*) FROM main_order WHERE state = 'completed') AS completed,
    (SELECT count(*) FROM main_order WHERE state = 'cancelled') AS cancelled,
    (SELECT count(*) FROM main_order WHERE state = 'cancelled' AND reason LIKE 'not paid in time%') AS unpaid_closed,
    (SELECT count(DISTINCT order_id) FROM sub_order WHERE state = 'refused') AS refused,
    (SELECT count(*) FROM sub_order) AS sub_orders,
    (SELECT count(*) FROM reservation) AS answered,
    -- Stock, in units: all of it; what is set aside or sold and for nobody; and what was promised or sent and not taken.
    (SELECT CAST(coalesce(sum(on_hand + sold), 0) AS bigint) FROM stock) AS units,
    (SELECT CAST(coalesce(sum(CASE WHEN reserved > told_reserved THEN reserved - told_reserved ELSE 0 END
                            + CASE WHEN sold > told_sold THEN sold - told_sold ELSE 0 END), 0) AS bigint) FROM shelf) AS taken_twice,
    (SELECT CAST(coalesce(sum(CASE WHEN reserved < told_reserved THEN told_reserved - reserved ELSE 0 END
                            + CASE WHEN sold < told_sold THEN told_sold - sold ELSE 0 END), 0) AS bigint) FROM shelf) AS not_taken,
    (SELECT count(*) FROM stock
      WHERE available + reserved <> on_hand OR available < 0 OR reserved < 0 OR sold < 0) AS unbalanced_stock,
    -- Orders that are not the sum of their sub-orders.
    (SELECT count(*) FROM main_order o LEFT JOIN parts p ON p.order_id = o.id
      WHERE p.order_id IS NULL OR o.placed_amount <> p.placed OR o.captured_amount <> p.paid
         OR o.refunded_amount <> p.refunded
         OR o.amount <> CASE WHEN o.state = 'cancelled' THEN 0 ELSE p.wanted END) AS unbalanced_orders,
    -- Sub-orders that say something else than their order, inventory or shipping.
    (SELECT count(*)
       FROM sub_order s JOIN main_order o ON o.id = s.order_id
       LEFT JOIN reservation r ON r.sub_order_id = s.id LEFT JOIN shipment h ON h.sub_order_id = s.id
      WHERE (o.state = 'completed' AND s.state NOT IN ('delivered', 'refused'))
         OR (o.state = 'cancelled' AND s.state NOT IN ('released', 'refused'))
         OR (s.state <> 'pending'
             AND (r.state IS NULL
               OR r.state <> CASE WHEN s.state = 'paid' THEN 'reserved'
                                  WHEN s.state IN ('shipped', 'delivered') THEN 'sold' ELSE s.state END
               OR coalesce(h.state, 'none') <> CASE WHEN s.state IN ('shipped', 'delivered') THEN s.state ELSE 'none' END))
    ) AS contradictions,
    -- Money, three times: as orders, payment and the provider have it.
    (SELECT CAST(coalesce(sum(captured_amount), 0) AS bigint) FROM main_order) AS captured,
    (SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM payment WHERE state = 'captured') AS captured_by_payment,
    (SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM gateway_operation
      WHERE kind = 'charge' AND outcome = 'captured') AS captured_by_provider,
    (SELECT CAST(coalesce(sum(refunded_amount), 0) AS bigint) FROM main_order) AS refunded,
    (SELECT CAST(coalesce(sum(refunded_amount), 0) AS bigint) FROM payment) AS refunded_by_payment,
    (SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM gateway_operation WHERE kind = 'refund') AS refunded_by_provider,
    -- Charges beyond the one that their order was paid by: a second one, or one of an order that is not paid.
    (SELECT count(*) FROM gateway_operation g
       LEFT JOIN payment p ON p.id = g.idempotency_key LEFT JOIN main_order o ON o.id = p.order_id
      WHERE g.kind = 'charge' AND g.outcome = 'captured'
        AND (o.id IS NULL OR p.state <> 'captured' OR p.amount <> g.amount
          OR o.state NOT IN ('paid', 'completed') OR o.payment_id <> p.id OR o.captured_amount <> g.amount)
    ) AS charges_repeated,
    (SELECT count(*) FROM main_order o
       LEFT JOIN payment p ON p.id = o.payment_id AND p.order_id = o.id AND p.state = 'captured'
       LEFT JOIN gateway_operation g ON g.idempotency_key = p.id AND g.kind = 'charge' AND g.outcome = 'captured'
      WHERE o.state IN ('paid', 'completed') AND g.idempotency_key IS NULL) AS paid_without_charge,
    (SELECT count(*) FROM payment p
       LEFT JOIN refunds r ON r.payment_id = p.id LEFT JOIN given_back g ON g.charge_key = p.id
       LEFT JOIN main_order o ON o.id = p.order_id AND o.payment_id = p.id
      WHERE p.refunded_amount <> coalesce(r.amount, 0) OR p.refunded_amount <> coalesce(g.amount, 0)
         OR p.refunded_amount <> coalesce(o.refunded_amount, 0) OR p.refunded_amount > p.amount) AS unbalanced_refunds,
    (SELECT count(*) FROM sub_order WHERE refund_requested <> refunded_amount) AS refunds_open,
    -- Loyalty: all points, and those that the completed orders are good for.
    (SELECT CAST(coalesce(sum(points), 0) AS bigint) FROM loyalty_account) AS points,
    (SELECT CAST(coalesce(sum(captured_amount / 100), 0) AS bigint) FROM main_order WHERE state = 'completed') AS points_earned,
    -- Messages: those that were committed, and those that not everybody has handled who has to. Not among the latter: timers,
    -- which may be running; and events for whoever wants to know.
    (SELECT count(*) FROM journal_sent) AS messages,
    (SELECT count(*) FROM journal_sent m
      WHERE (m.topic IN ('inventory.answers', 'payment.answers', 'shipping.events')
             AND NOT EXISTS (SELECT 1 FROM journal_handled h WHERE h.message_id = m.message_id AND h.group_name = 'orders'))
         OR (m.topic IN ('inventory.commands', 'shipping.events')
             AND NOT EXISTS (SELECT 1 FROM journal_handled h WHERE h.message_id = m.message_id AND h.group_name = 'inventory'))
         OR (m.topic = 'payment.commands'
             AND NOT EXISTS (SELECT 1 FROM journal_handled h WHERE h.message_id = m.message_id AND h.group_name = 'payment'))
         OR (m.topic IN ('shipping.commands', 'shipping.carrier')
             AND NOT EXISTS (SELECT 1 FROM journal_handled h WHERE h.message_id = m.message_id AND h.group_name = 'shipping'))
    ) AS unhandled,
    (SELECT count(*) FROM journal_sent m
      WHERE m.topic = 'orders.payment-due'
        AND NOT EXISTS (SELECT 1 FROM journal_handled h WHERE h.message_id = m.message_id AND h.group_name = 'orders')
    ) AS timers,
    (SELECT count(*) FROM journal_sent m
      WHERE m.topic = 'orders.events'
        AND NOT EXISTS (SELECT 1 FROM journal_handled h WHERE h.message_id = m.message_id AND h.group_name = 'loyalty')
    ) AS unheard_by_loyalty,
    (SELECT count(*) FROM shipments WHERE sent <> handled) AS shipped_out_of_order,
    -- Of the messages that have to be confirmed, those that were: the others are in one of these tables.
    (SELECT count(*) FROM journal_sent m
      WHERE m.topic <> 'orders.events'
        AND NOT EXISTS (SELECT 1 FROM outbox x WHERE x.message_id = m.message_id)
        AND NOT EXISTS (SELECT 1 FROM outbox_awaiting x WHERE x.message_id = m.message_id)
        AND NOT EXISTS (SELECT 1 FROM outbox_dead x WHERE x.message_id = m.message_id)) AS confirmed,
    (SELECT count(*) FROM outbox_awaiting) AS unconfirmed,
    (SELECT count(*) FROM outbox_dead) + (SELECT count(*) FROM outbox_group_dead) AS dead
