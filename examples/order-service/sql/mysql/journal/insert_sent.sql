-- Notes messages that are sent: [[message, order, sub-order, topic, name, trace], …]. Safe: plain insert.
INSERT INTO journal_sent (message_id, order_id, sub_order_id, topic, name, trace_id)
SELECT UNHEX(entry.message), UNHEX(entry.of_order), UNHEX(entry.sub_order), entry.topic, entry.name, entry.trace
  FROM JSON_TABLE(?, '$[*]' COLUMNS (place FOR ORDINALITY, message CHAR(32) PATH '$[0]', of_order CHAR(32) PATH '$[1]',
                                     sub_order CHAR(32) PATH '$[2]', topic VARCHAR(100) PATH '$[3]',
                                     name VARCHAR(100) PATH '$[4]', trace CHAR(32) PATH '$[5]')) AS entry
 ORDER BY entry.place
