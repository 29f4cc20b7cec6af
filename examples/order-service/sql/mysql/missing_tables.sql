-- Which of the service's tables are not there, as text; NULL: none. Safe: reads the catalogue only.
SELECT GROUP_CONCAT(needed.name ORDER BY needed.name SEPARATOR ', ')
  FROM (SELECT 'main_order' AS name UNION ALL SELECT 'sub_order' UNION ALL SELECT 'order_line'
        UNION ALL SELECT 'stock' UNION ALL SELECT 'reservation' UNION ALL SELECT 'reservation_line'
        UNION ALL SELECT 'payment' UNION ALL SELECT 'refund' UNION ALL SELECT 'gateway_operation'
        UNION ALL SELECT 'shipment' UNION ALL SELECT 'loyalty_account' UNION ALL SELECT 'journal_sent'
        UNION ALL SELECT 'journal_handled') AS needed
 WHERE NOT EXISTS (SELECT 1
                     FROM information_schema.tables
                    WHERE table_schema = DATABASE() AND table_name = needed.name)
