-- What was paid for speech and models, one row per request that was answered. Money in millionths of a US dollar.
create table spending (
    id            uuid primary key,
    call_id       uuid not null references calls (id),
    step          text not null,
    model         text not null,
    day           text not null,             -- UTC, 2026-11-20
    seconds       double precision,          -- of audio, for speech
    input_tokens  bigint,                    -- for a model
    output_tokens bigint,
    micros        bigint,                    -- null: the model's price is not known
    paid_at       timestamptz not null
);
create index spending_call on spending (call_id);
create index spending_day on spending (day);

-- What a day has cost, reservations of requests under way included: the cap looks here.
create table spent (
    day    text primary key,
    micros bigint not null
);
