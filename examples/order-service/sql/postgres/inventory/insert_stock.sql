-- Makes a row for an article that is not known, with nothing of it.
INSERT INTO stock (merchant, sku) VALUES ($1, $2)
ON CONFLICT (merchant, sku) DO NOTHING
