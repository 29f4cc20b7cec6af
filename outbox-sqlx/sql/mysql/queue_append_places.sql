-- Makes room for messages in queues, and answers where each ends now, and how many queues its topic has. The queues' ids and
-- how many messages each gets are put in place of the braces: numbers only, see queue/mysql.rs. Sent as text, and so one
-- round trip for any number of queues.
-- Safe: the queues' rows are locked in the order of their ids and to the end of the transaction, so offsets are dense and
-- follow the commits. Rows by their primary key, whatever the optimizer thinks of a small table: no other queue is touched.
UPDATE outbox_queue FORCE INDEX (PRIMARY)
   SET next_offset = next_offset + CASE id {counts} END
 WHERE id IN ({ids});
SELECT id, next_offset, siblings FROM outbox_queue FORCE INDEX (PRIMARY) WHERE id IN ({ids})
