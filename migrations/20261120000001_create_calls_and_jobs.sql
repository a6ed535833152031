-- One text for Postgres and SQLite: see README.md before changing anything.

create table settings (
    name  text primary key,
    value text not null
);

-- A conversation. `facts` is the fold of its events; the other columns repeat what lists filter by.
create table calls (
    id               uuid primary key,
    provider         text not null,
    account          text not null,
    facts            jsonb not null,
    provider_call_id text,
    status           text,
    external_phone   text,
    started_at       timestamptz,
    conclusion       text,
    merged_into      uuid,
    created_at       timestamptz not null,
    updated_at       timestamptz not null
);
create index calls_phone on calls (provider, account, external_phone, created_at);
create index calls_created on calls (created_at);

-- The names under which a provider knows a call. Unique: two workers cannot make two calls of one.
create table call_keys (
    provider text not null,
    value    text not null,
    kind     text not null,
    account  text not null,
    call_id  uuid not null references calls (id),
    primary key (provider, value, kind, account)
);
create index call_keys_call on call_keys (call_id);

-- An accepted webhook, raw. The unique key deduplicates for good.
create table events (
    id          uuid primary key,
    provider    text not null,
    account     text not null,
    kind        text not null,
    dedupe_key  text not null,
    body        bytea not null,
    call_id     uuid,
    received_at timestamptz not null,
    unique (provider, account, dedupe_key)
);
create index events_call on events (call_id);

-- One step for one call (and sink). This row is the truth; a message only wakes it up.
create table jobs (
    id          uuid primary key,
    step        text not null,
    queue       text not null,
    call_id     uuid,
    event_id    uuid,
    sink        text,
    state       text not null,           -- waiting, running, done, skipped, dead
    due_at      timestamptz not null,
    publish_at  timestamptz,             -- when the dispatcher publishes it; null: a message is under way, or none is needed
    owner       uuid,                    -- the worker that holds the lease
    lease_until timestamptz,
    attempt     integer not null,        -- tries that count; reset by replay and by news
    claims      integer not null,        -- every claim ever; fences a worker that lost its lease
    snoozes     integer not null,
    again       boolean not null,        -- news came while it ran: run once more
    reason      text,
    error       text,
    traceparent text,
    created_at  timestamptz not null,
    started_at  timestamptz,
    finished_at timestamptz
);
create index jobs_publish on jobs (publish_at) where publish_at is not null;
create index jobs_waiting on jobs (queue, due_at) where state = 'waiting';
create index jobs_lease on jobs (lease_until) where state = 'running';
create index jobs_dead on jobs (queue, finished_at) where state = 'dead';
create index jobs_call on jobs (call_id);

-- Every failed try, for the call's timeline.
create table failures (
    job_id  uuid not null references jobs (id),
    claim   integer not null,
    at      timestamptz not null,
    verdict text not null,
    reason  text not null,
    error   text not null,
    primary key (job_id, claim)
);

create table recordings (
    call_id          uuid primary key references calls (id),
    object_key       text not null,
    size_bytes       bigint not null,
    sha256           text not null,
    duration_seconds double precision not null,
    channels         integer not null,
    sample_rate      integer not null,
    format           text not null,
    stored_at        timestamptz not null
);

create table transcripts (
    call_id uuid primary key references calls (id),
    body    jsonb not null
);

create table feedback (
    call_id uuid primary key references calls (id),
    body    jsonb not null
);

-- What a sink holds of a milestone.
create table deliveries (
    call_id      uuid not null references calls (id),
    sink         text not null,
    milestone    text not null,
    content_hash text not null,
    refs         jsonb not null,
    delivered_at timestamptz not null,
    primary key (call_id, sink, milestone)
);

-- Rate limit (a generic cell rate, in microseconds since 1970) and circuit of each vendor, shared by all workers.
create table budgets (
    vendor       text primary key,
    tat          bigint not null,
    failures     bigint not null,
    paused_until bigint not null
);
