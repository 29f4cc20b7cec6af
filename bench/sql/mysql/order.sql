INSERT INTO bench_order (customer, total, detail) VALUES (?, ?, ?)
