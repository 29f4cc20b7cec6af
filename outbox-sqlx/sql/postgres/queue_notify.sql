-- Tells members of consumer groups in other processes to look. Safe: sent from a connection of its own.
NOTIFY outbox_queue
