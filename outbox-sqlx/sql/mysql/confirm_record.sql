-- Notes who has handled what, ?1 as [id in hex, group] pairs, whatever became of the messages meanwhile. Safe: the unique key
-- makes a second time nothing, and the pairs are in one order. Committed by itself, before anybody looks which were the last
-- that were missing.
INSERT INTO outbox_confirmation (message_id, group_name)
SELECT UNHEX(e.id), e.group_name
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]', group_name VARCHAR(255) PATH '$[1]')) AS e
    ON DUPLICATE KEY UPDATE outbox_confirmation.group_name = outbox_confirmation.group_name
