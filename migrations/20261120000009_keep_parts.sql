-- What a model noted on a part of a very long transcript is kept like a reply to a piece of a recording: the step says which.
alter table pieces add column step text not null default 'transcribe';
