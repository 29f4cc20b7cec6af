-- The provider does something under a key: once, however often it is asked. Safe: one row by its primary key. (No
-- IGNORE: it would swallow other errors too.)
INSERT INTO gateway_operation (idempotency_key, charge_key, kind, amount, outcome) VALUES (?, ?, ?, ?, ?)
    ON DUPLICATE KEY UPDATE kind = kind
