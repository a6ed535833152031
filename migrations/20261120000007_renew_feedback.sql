-- Feedback that somebody asked to have made anew. It stays in use until the new one is there.
alter table feedback add column renew boolean not null default false;
