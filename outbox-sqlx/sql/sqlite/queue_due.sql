-- Whether delayed messages of these topics are due. Safe: reads only.
SELECT EXISTS (SELECT 1 FROM outbox_delayed
                WHERE topic_id IN (SELECT value FROM json_each($1))
                  AND due_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)
