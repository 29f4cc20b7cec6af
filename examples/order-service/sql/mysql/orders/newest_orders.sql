-- The newest orders: ids sort by time, so the primary key's index serves this. Safe: reads only.
SELECT id, buyer, state, placed_amount, amount FROM main_order ORDER BY id DESC LIMIT ?
