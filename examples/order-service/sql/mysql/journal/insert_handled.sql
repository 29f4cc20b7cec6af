-- Notes that a group has handled a message. Safe: plain insert.
INSERT INTO journal_handled (message_id, group_name, attempt) VALUES (?, ?, ?)
