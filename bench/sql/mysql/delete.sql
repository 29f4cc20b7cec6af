DELETE FROM outbox WHERE id IN ({ids})
