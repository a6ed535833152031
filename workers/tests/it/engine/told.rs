//! A step for tests of what is around it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shared::domain::{Job, Outcome, Step, StepError};
use workers::step::Run;

type Act = dyn Fn(u32, Job) -> futures::future::BoxFuture<'static, Result<Outcome, StepError>> + Send + Sync;

/// A step that counts its runs and does as it is told.
struct Told {
    step: Step,
    runs: Arc<AtomicU32>,
    deadline: Duration,
    act: Box<Act>,
}

/// The step, and how often it was run so far.
pub(super) fn told<F>(step: Step, act: impl Fn(u32, Job) -> F + Send + Sync + 'static) -> (Arc<dyn Run>, Arc<AtomicU32>)
where
    F: Future<Output = Result<Outcome, StepError>> + Send + 'static,
{
    told_within(Duration::from_millis(500), step, act)
}

/// [`told`], with another deadline.
pub(super) fn told_within<F>(
    deadline: Duration,
    step: Step,
    act: impl Fn(u32, Job) -> F + Send + Sync + 'static,
) -> (Arc<dyn Run>, Arc<AtomicU32>)
where
    F: Future<Output = Result<Outcome, StepError>> + Send + 'static,
{
    let runs = Arc::new(AtomicU32::new(0));
    let act = Box::new(move |run, job| Box::pin(act(run, job)) as _);
    (Arc::new(Told { step, runs: runs.clone(), deadline, act }), runs)
}

#[async_trait]
impl Run for Told {
    fn step(&self) -> Step {
        self.step
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn concurrency(&self) -> u16 {
        4
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        (self.act)(run, job.clone()).await
    }
}
