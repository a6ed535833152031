-- Who was called up because they became a contact: written before CloudTalk is asked to start the call, so that nobody is
-- called twice, whatever happens in between.
create table dials (
    contact  text primary key,              -- the CRM's id of the contact
    phone    text not null,
    agent    text not null,                 -- CloudTalk's id of who was rung for it
    state    text not null,                 -- asked: nobody knows whether it rang; rang
    asked_at timestamptz not null
);
create index dials_phone on dials (phone);
create index dials_agent on dials (agent, asked_at);
