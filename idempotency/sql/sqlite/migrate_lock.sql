-- Nothing to lock: BEGIN IMMEDIATE already lets one process write at a time. Safe: reads nothing.
SELECT 1
