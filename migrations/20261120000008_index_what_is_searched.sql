-- Every statement on a hot path has an index that serves it: tables that only grow are not read whole.
create index calls_merged on calls (merged_into) where merged_into is not null;
create index locks_owner on locks (owner);
create index locks_expires on locks (expires_at);
create index dials_asked on dials (asked_at);
