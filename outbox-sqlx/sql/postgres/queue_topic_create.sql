-- Declares a topic. Safe: one that is there stays as it is.
INSERT INTO outbox_topic (name, initial_queues) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
