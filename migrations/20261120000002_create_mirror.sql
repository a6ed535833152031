-- One text for Postgres and SQLite: see README.md before changing anything.

-- A person whom both sides know. `seen` is what each side held when they were last compared.
create table mirror_links (
    cloudtalk_id   text not null primary key,
    gohighlevel_id text not null unique,
    seen           jsonb not null,
    updated_at     timestamptz not null
);

-- A note of one side that the other has a copy of.
create table mirror_notes (
    side      text not null,
    note_id   text not null,
    copy_id   text not null,
    copied_at timestamptz not null,
    primary key (side, note_id)
);

-- What was last told of a deal, and by which tags.
create table mirror_deals (
    deal_id text primary key,
    told    jsonb not null,
    told_at timestamptz not null
);

-- What only one at a time may do. Who holds a name longer than it said has lost it.
create table locks (
    name       text primary key,
    owner      uuid not null,
    expires_at timestamptz not null
);
