-- When the job's letter was put on the dead-letter queue; null: none lies there. What a dead job lacks is put there, what a job
-- that is not dead any more left there is taken away.
alter table jobs add column buried_at timestamptz;
update jobs set buried_at = finished_at where state = 'dead';
create index jobs_unburied on jobs (finished_at) where state = 'dead' and buried_at is null;
create index jobs_outlived on jobs (queue) where buried_at is not null and state <> 'dead';
