//! Tests of the crate from outside. One binary; a file per thing that is tested.

mod budgets;
mod callmind;
mod cloudtalk;
mod cloudtalk_api;
mod contention;
mod dispatching;
mod elevenlabs;
mod ghl_calls;
mod gohighlevel;
mod guard;
mod jobs;
mod ledger;
mod locks;
mod outside;
mod queue;
mod recordings;
mod server;
mod service;
mod target;
mod twilio;
mod tying;
