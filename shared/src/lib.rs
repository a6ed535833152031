//! What both sides of Tapedeck stand on: the domain, the two-sided seams and the outside systems.
//!
//! - [`domain`]: the words of the system and its pure rules; no I/O.
//! - [`db`], [`queue`], [`recordings`]: the seams with two backends each (production, embedded).
//! - [`sources`]: who sends webhooks. [`providers`]: where calls come from. [`sinks`]: where results go.
//! - [`speech`], [`model`]: OpenAI-compatible servers. [`http`]: the one HTTP client and its verdicts.
//! - [`budgets`]: rate limits and circuit state that all workers share. [`locks`]: what only one at a time may do. [`ledger`]: what was paid, and the cap on it. [`kept`]: what was bought with it.
//! - [`dispatcher`], [`publisher`], [`letters`], [`replay`], [`reanalyze`]: how rows become messages. [`batch`]: many callers, one statement.
//! - [`mirror`]: contacts that two systems hold in common.
//! - [`tying`]: from an event to its call. [`naming`]: from what people call it. [`dial`], [`campaigns`]: calling up contacts.
//! - [`env`], [`settings`], [`clock`], [`service`], [`telemetry`]: what is passed in from outside, and the start of every process. [`private`]: files that others may not read.
//!
//! Only what more than one crate uses, or a family of plug-ins, belongs here.

pub mod audio;
pub mod batch;
pub mod budgets;
pub mod campaigns;
pub mod clock;
pub mod db;
pub mod dial;
pub mod dispatcher;
pub mod domain;
pub mod env;
mod fresh;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod http;
pub mod kept;
pub mod ledger;
pub mod letters;
pub mod links;
pub mod locks;
pub mod mirror;
pub mod model;
pub mod naming;
pub mod private;
pub mod providers;
pub mod publisher;
pub mod queue;
pub mod reanalyze;
pub mod recordings;
pub mod replay;
pub mod service;
pub mod settings;
pub mod sinks;
pub mod sources;
pub mod speech;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tying;
