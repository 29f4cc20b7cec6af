-- Asks, in one round trip, whether there is a transaction, as the library does before it writes. Safe: changes nothing.
SAVEPOINT bench_is_open; RELEASE SAVEPOINT bench_is_open
