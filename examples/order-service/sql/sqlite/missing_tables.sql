-- Which of the service's tables are not there, as text; NULL: none. Reads the catalogue only.
SELECT group_concat(column1, ', ')
  FROM (VALUES ('main_order'), ('order_line'), ('reservation'), ('reservation_line'), ('stock'), ('sub_order'))
 WHERE column1 NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table')
