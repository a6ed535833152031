-- The name of a telephone call is looked up whichever provider says it.
create index call_keys_line on call_keys (value) where kind = 'call_sid';
