//! Tests of the steps, each against servers of its own. One binary; a file per step, `given` for what a step finds, `running` for all of it at work.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod analyze;
mod campaigns;
mod carried;
mod channels;
mod cloudtalk;
mod dial;
mod elevenlabs;
mod engine;
mod fetch;
mod generic;
mod given;
mod intake;
mod judging;
mod merging;
mod metrics;
mod mirror;
mod missing;
mod money;
mod parts;
mod pipeline;
mod polling;
mod reanalyze;
mod running;
mod sync;
mod transcribe;
mod twilio;
