-- How far a service has come, for a look every now and then.
SELECT
    (SELECT count(*) FROM main_order WHERE state NOT IN ('completed', 'cancelled')) AS open_orders,
    -- Who has to handle what: events of shipping are for two groups.
    (SELECT count(*) FROM journal_sent) + (SELECT count(*) FROM journal_sent WHERE topic = 'shipping.events') AS to_handle,
    (SELECT count(*) FROM journal_handled) AS handled,
    (SELECT count(*) FROM outbox) + (SELECT count(*) FROM outbox_awaiting) AS waiting,
    (SELECT count(*) FROM sub_order WHERE refund_requested <> refunded_amount) AS refunds_open
