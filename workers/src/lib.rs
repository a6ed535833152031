//! The workers: each takes wake-ups of some steps' queues, claims the job, runs the step and settles it.
//!
//! - [`pipeline`]: THE list of steps; read it first. [`steps`]: one file per step.
//! - [`step`]: the contract of a step.
//! - [`runner`]: consume, claim, run, settle; the only place that settles. [`schedule`]: when a failed try is made again.
//! - [`process`]: a worker process, whatever binary it is started from.
//! - [`tuning`]: leases, drain, concurrency.
//!
//! To add a step: a variant of `Step` in `shared`, a file in `steps/`, a line in `pipeline.rs`.

pub mod pipeline;
pub mod process;
pub mod runner;
pub mod schedule;
pub mod step;
pub mod steps;
pub mod tuning;

pub use runner::run;
