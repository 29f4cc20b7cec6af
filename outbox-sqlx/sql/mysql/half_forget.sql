-- Forgets these (?1, a JSON list of ids in hex). Safe: only of those that have ended, which no transition leaves. A
-- join, so that each row is looked up by its primary key and no other one is locked.
DELETE h
  FROM JSON_TABLE(?1, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS gone
 STRAIGHT_JOIN outbox_half h FORCE INDEX (PRIMARY) ON h.message_id = UNHEX(gone.id)
 WHERE h.ended_at IS NOT NULL
