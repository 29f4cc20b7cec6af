-- For which of these sub-orders (the second parameter, a JSON array of texts) the request (the first, the topic) is still
-- in the outbox. Rows there are messages still to be delivered; keys have no index, so it is one walk over what is left
-- to be sent. Safe: a plain read, because asking once too often is harmless and locks would stop everybody who publishes.
SELECT message_key
  FROM outbox
 WHERE topic = ?
   AND message_key IN (SELECT wanted.message_key
                         FROM JSON_TABLE(?, '$[*]' COLUMNS (message_key VARCHAR(255) PATH '$')) AS wanted)
