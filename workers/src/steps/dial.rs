//! dial: calls up whoever has just become a contact, where that is switched on.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    db::{self, Db},
    dial::{Answer, Dialer, Newcomer},
    domain::{Job, Outcome, Step, StepError, VerdictExt},
    service::App,
};

use crate::step::Run;

/// The step.
pub struct Dial {
    db: Db,
    dialer: Option<Dialer>,
}

impl Dial {
    /// Takes what it needs.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(app: &App) -> anyhow::Result<Self> {
        Ok(Self { db: app.db.clone(), dialer: Dialer::from_env(&app.env, &app.outside, &app.db)? })
    }
}

#[async_trait]
impl Run for Dial {
    fn step(&self) -> Step {
        Step::Dial
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn concurrency(&self) -> u16 {
        2
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let skip = |reason: &'static str| Ok(Outcome { skipped: Some(reason.into()), ..Outcome::default() });
        let Some(dialer) = &self.dialer else { return skip("dial-off") };
        let id = job.event_id.ok_or_else(|| anyhow!("a dial job without an event")).or_fail("broken-job")?;
        let event = db::events::find(&self.db, id).await.or_ours()?;
        let event = event.ok_or_else(|| anyhow!("its event is gone")).or_fail("event-gone")?;
        let newcomer = match Newcomer::of(&event, dialer.zone()).or_fail("event-unusable")? {
            Ok(newcomer) => newcomer,
            Err(reason) => return skip(reason),
        };
        match dialer.call(&newcomer).await? {
            Answer::Rings => Ok(Outcome::default()),
            Answer::Not(reason) => skip(reason),
        }
    }
}
