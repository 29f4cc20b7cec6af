-- Which of the service's tables are not there, as text; NULL: none. Reads the catalogue only.
SELECT string_agg(name, ', ' ORDER BY name)
  FROM unnest(ARRAY['main_order', 'sub_order', 'order_line', 'stock', 'reservation', 'reservation_line',
                    'payment', 'refund', 'gateway_operation', 'shipment', 'loyalty_account', 'journal_sent', 'journal_handled']) AS needed (name)
 WHERE to_regclass(quote_ident(name)) IS NULL
