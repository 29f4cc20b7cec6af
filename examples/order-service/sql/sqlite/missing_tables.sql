-- Which of the service's tables are not there, as text; NULL: none. Reads the catalogue only.
SELECT group_concat(column1, ', ')
  FROM (VALUES ('gateway_operation'), ('journal_handled'), ('journal_sent'), ('loyalty_account'), ('main_order'), ('order_line'), ('payment'),
               ('refund'), ('reservation'), ('reservation_line'), ('shipment'), ('stock'), ('sub_order'))
 WHERE column1 NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table')
