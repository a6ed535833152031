//! Tests of the crate from outside. One binary; a file per thing that is tested.

mod budgets;
mod callmind;
mod cloudtalk;
mod cloudtalk_api;
mod contention;
mod dialects;
mod dispatching;
mod elevenlabs;
mod ghl_calls;
mod gohighlevel;
mod guard;
mod jobs;
mod ledger;
mod locks;
mod outside;
mod providers;
mod queue;
mod recordings;
mod server;
mod service;
mod sinks;
mod sources;
mod target;
mod twilio;
mod tying;
