-- What a member has to know of its group: whether anything changed, whether it is paused, and how many members are
-- overdue. Safe: reads only.
SELECT g.changes, g.paused,
       (SELECT COUNT(*) FROM outbox_group_member m WHERE m.group_id = g.id AND m.lease_until < UTC_TIMESTAMP(6))
  FROM outbox_group g
 WHERE g.id = ?1
