-- For which of these sub-orders ($2, as text) the request ($1, the topic) is still in the outbox. Rows there are messages
-- still to be delivered; keys have no index, so it is one walk over what is left to be sent.
SELECT message_key FROM outbox WHERE topic = $1 AND message_key = ANY($2)
