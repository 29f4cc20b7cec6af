-- What was answered, and to which message.
SELECT request_id, reason FROM reservation WHERE sub_order_id = $1
