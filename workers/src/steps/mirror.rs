//! mirror: what is first due for an event about a contact.

use std::time::Duration;

use async_trait::async_trait;
use shared::domain::{Job, Outcome, Step, StepError};

use crate::step::Run;

/// The step. Nothing takes contacts elsewhere yet: such events are kept, and their jobs can be run again.
pub struct Mirror;

#[async_trait]
impl Run for Mirror {
    fn step(&self) -> Step {
        Step::Mirror
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn concurrency(&self) -> u16 {
        4
    }

    async fn run(&self, _job: &Job) -> Result<Outcome, StepError> {
        Ok(Outcome { skipped: Some("mirror-off".into()), ..Outcome::default() })
    }
}
