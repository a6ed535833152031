//! The steps, in the order of the flow; one file each, named as the step. `call` finds what most of them work on.
//!
//! A step takes what it needs in `new`, looks first whether its result exists, and returns an [`Outcome`](shared::domain::Outcome)
//! that the runner writes.

pub mod analyze;
mod call;
pub mod dial;
pub mod fetch;
pub mod intake;
pub mod lookup;
pub mod mirror;
pub mod poll;
pub mod record;
pub mod sync;
pub mod transcribe;
