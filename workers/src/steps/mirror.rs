//! mirror: what is first due for an event about a contact.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    campaigns::Campaigns,
    db::{self, Db},
    dial,
    domain::{Job, Outcome, Step, StepError, VerdictExt},
    env::Env,
    service::App,
};

use crate::step::Run;

/// The step. Nothing takes contacts elsewhere yet: such events are kept, and their jobs can be run again.
pub struct Mirror {
    db: Db,
    env: Env,
    campaigns: Option<Campaigns>,
}

impl Mirror {
    /// Takes what it needs.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(app: &App) -> anyhow::Result<Self> {
        let App { db, env, outside, .. } = app.clone();
        Ok(Self { campaigns: Campaigns::from_env(&env, &outside)?, db, env })
    }
}

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

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let id = job.event_id.ok_or_else(|| anyhow!("a mirror job without an event")).or_fail("broken-job")?;
        let event = db::events::find(&self.db, id).await.or_ours()?;
        let event = event.ok_or_else(|| anyhow!("its event is gone")).or_fail("event-gone")?;
        if let Some(campaigns) = &self.campaigns {
            campaigns.join(&event).await?;
        }
        let next = dial::due(&self.env, &event).or_fail("broken-setting")?.into_iter().collect();
        Ok(Outcome { skipped: Some("mirror-off".into()), next, ..Outcome::default() })
    }
}
