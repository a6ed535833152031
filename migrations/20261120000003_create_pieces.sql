-- What a speech server said about a piece of a recording: paid for, and kept until the call's transcript holds it.
create table pieces (
    call_id  uuid not null references calls (id),
    key      text not null,              -- SHA-256 of what was asked: recording, stretches, model, hints
    reply    jsonb not null,
    heard_at timestamptz not null,
    primary key (call_id, key)
);
