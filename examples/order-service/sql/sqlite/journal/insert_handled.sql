-- Notes that a group has handled a message.
INSERT INTO journal_handled (message_id, group_name, attempt) VALUES ($1, $2, $3)
