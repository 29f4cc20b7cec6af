-- Makes room for messages in queues, and answers where each ends now, and how many queues its topic has. A JSON list of
-- [queue, messages] is put in place of the braces: numbers only, see queue/mysql.rs. Sent as text, and so one round trip for
-- any number of queues.
-- Safe: the queues' rows are locked in the order of the list, which is that of their ids, and to the end of the transaction,
-- so offsets are dense and follow the commits. A join, so that each row is looked up and no other queue is waited for.
UPDATE JSON_TABLE('{queues}', '$[*]' COLUMNS (id INT PATH '$[0]', messages BIGINT PATH '$[1]')) AS t
 STRAIGHT_JOIN outbox_queue q FORCE INDEX (PRIMARY) ON q.id = t.id
   SET q.next_offset = q.next_offset + t.messages;
SELECT q.id, q.next_offset, q.siblings
  FROM JSON_TABLE('{queues}', '$[*]' COLUMNS (id INT PATH '$[0]')) AS t
 STRAIGHT_JOIN outbox_queue q FORCE INDEX (PRIMARY) ON q.id = t.id
