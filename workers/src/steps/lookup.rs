//! lookup: asks the APIs of those who know a call what their events did not say of it. What they say is recorded as events,
//! so that it goes the way of all others, and nothing waits for it.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    clock::Clock,
    db::{self, Db},
    domain::{Job, Outcome, ProviderId, Step, StepError, VerdictExt},
    providers::Providers,
    service::App,
};

use crate::step::Run;

/// The step.
pub struct Lookup {
    db: Db,
    clock: Clock,
    providers: Providers,
}

impl Lookup {
    /// Takes what it needs.
    pub fn new(app: &App) -> Self {
        let App { db, clock, providers, .. } = app.clone();
        Self { db, clock, providers }
    }
}

#[async_trait]
impl Run for Lookup {
    fn step(&self) -> Step {
        Step::Lookup
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn concurrency(&self) -> u16 {
        4
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let id = job.call_id.ok_or_else(|| anyhow!("a lookup job without a call")).or_fail("broken-job")?;
        let call = db::calls::find(&self.db, id).await.or_ours()?;
        let call = call.ok_or_else(|| anyhow!("its call is gone")).or_fail("call-gone")?;
        let known_to = db::calls::providers(&self.db, call.id).await.or_ours()?;
        let knows = |id: ProviderId| id == call.provider || known_to.contains(&id);
        let knowing = self.providers.iter().filter(|provider| knows(provider.id()));
        let asked: Vec<_> = knowing.filter(|provider| provider.incomplete(&call)).collect();
        if asked.is_empty() {
            return Ok(Outcome { skipped: Some("known-already".into()), ..Outcome::default() });
        }
        let mut said = Vec::new();
        for provider in asked {
            said.extend(provider.lookup(&call).await?);
        }
        if said.is_empty() {
            return Ok(Outcome { skipped: Some("unknown-to-provider".into()), ..Outcome::default() });
        }
        db::events::learn(&self.db, said, job.traceparent.as_deref(), self.clock.now()).await.or_ours()?;
        Ok(Outcome::default())
    }
}
