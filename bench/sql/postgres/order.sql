INSERT INTO bench_order (customer, total, detail) VALUES ($1, $2, $3)
