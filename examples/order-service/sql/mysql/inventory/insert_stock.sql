-- Makes a row for an article that is not known, with nothing of it. Safe: one row by its primary key. (No IGNORE: it
-- would swallow other errors too.)
INSERT INTO stock (merchant, sku) VALUES (?, ?)
    ON DUPLICATE KEY UPDATE sku = sku
