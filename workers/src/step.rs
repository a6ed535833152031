//! The contract of a step.

use std::time::Duration;

use async_trait::async_trait;
use shared::domain::{Job, Outcome, Step, StepError};

/// One step of the pipeline.
///
/// It may be run twice for the same job, also at the same time after a lost lease: the second run must change nothing
/// outside. It writes nothing to the database itself; the runner writes its [`Outcome`] together with the job's end. Only
/// what was paid for in the middle of a step is kept at once, where nothing but that step looks for it.
#[async_trait]
pub trait Run: Send + Sync {
    /// Which step this is.
    fn step(&self) -> Step;

    /// A try that takes longer is cancelled and retried. Must stay below RabbitMQ's consumer timeout of 30 minutes.
    fn deadline(&self) -> Duration;

    /// How many run at once in one process, unless `CONCURRENCY_<STEP>` says otherwise.
    fn concurrency(&self) -> u16;

    /// Does the work. Looks first whether its result exists: paid work is never bought twice.
    ///
    /// # Errors
    /// Every failure has its verdict, given where the cause is known.
    async fn run(&self, job: &Job) -> Result<Outcome, StepError>;

    /// What is to be written, and is due, once a job has failed for good: in the commit that says so.
    ///
    /// # Errors
    /// When that cannot be found out; then this is how the try ends.
    async fn given_up(&self, _job: &Job) -> Result<Outcome, StepError> {
        Ok(Outcome::default())
    }
}
