-- A group's members and the topics of each. Safe: reads only, under the group's lock.
SELECT member, topics FROM outbox_group_member WHERE group_id = ?1 ORDER BY member
