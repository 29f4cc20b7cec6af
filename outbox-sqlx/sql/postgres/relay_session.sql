-- Settles how the relay's own session plans and waits. Safe: set_config(…, false) touches this session only.
SELECT set_config(s.name, s.setting, false)
  FROM unnest($1::text[], $2::text[]) AS s (name, setting)
