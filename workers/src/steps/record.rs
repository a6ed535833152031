//! record: starts to record a call that goes on, once it is answered.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    db::{self, Db},
    domain::{Call, Job, Outcome, Step, StepError, VerdictExt},
    providers::{Live, Provider, Providers},
    service::App,
};

use crate::step::Run;

/// The step.
pub struct Record {
    db: Db,
    providers: Providers,
}

impl Record {
    /// Takes what it needs.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), providers: app.providers.clone() }
    }

    /// The call's own provider, else the one that carries it: an agent's call may run over another provider's lines.
    fn recorder(&self, call: &Call) -> Option<&dyn Provider> {
        let own = self.providers.get(&call.provider);
        own.into_iter().chain(self.providers.iter()).find(|provider| provider.records_live()).map(AsRef::as_ref)
    }
}

#[async_trait]
impl Run for Record {
    fn step(&self) -> Step {
        Step::Record
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn concurrency(&self) -> u16 {
        8
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let id = job.call_id.ok_or_else(|| anyhow!("a record job without a call")).or_fail("broken-job")?;
        let call = db::calls::find(&self.db, id).await.or_ours()?;
        let call = call.ok_or_else(|| anyhow!("its call is gone")).or_fail("call-gone")?;
        let recorder = self.recorder(&call).ok_or_else(|| anyhow!("no configured provider can record a live call"));
        match recorder.or_fail("cannot-record")?.record(&call).await? {
            Live::Recording => Ok(Outcome::default()),
            Live::Over => Ok(Outcome { skipped: Some("call-over".into()), ..Outcome::default() }),
        }
    }
}
