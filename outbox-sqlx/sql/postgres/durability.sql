-- What this session promises about a commit. Safe: reads settings only.
SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes')
