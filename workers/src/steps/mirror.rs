//! mirror: carries a change of a contact to the other side; then lets them join campaigns. A new one is to be called, whatever
//! becomes of that.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    campaigns::Campaigns,
    db::{self, Db},
    dial::Dials,
    domain::{Event, Job, Outcome, Reason, Step, StepError, Verdict, VerdictExt},
    mirror::{self, Carried},
    service::App,
};

use crate::step::Run;

/// The step. It remembers what it wrote at once and not with its outcome: the next change of the same person may be under
/// way before that is settled.
pub struct Mirror {
    db: Db,
    dials: Dials,
    mirror: Option<mirror::Mirror>,
    campaigns: Option<Campaigns>,
}

impl Mirror {
    /// Takes what it needs.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub fn new(app: &App) -> anyhow::Result<Self> {
        let App { db, env, outside, .. } = app.clone();
        let dials = Dials::from_env(&env)?;
        let mirror = mirror::Mirror::from_env(&env, &outside, &db)?;
        Ok(Self { mirror, campaigns: Campaigns::from_env(&env, &outside)?, db, dials })
    }

    /// Carries, and lets them join. Returns why there was nothing to carry.
    async fn carry(&self, event: &Event, again: bool) -> Result<Option<Reason>, StepError> {
        let carried = match &self.mirror {
            Some(mirror) => mirror.carry(event, again).await,
            None => Ok(Carried::Nothing("mirror-off")),
        };
        if let Err(error) = &carried
            && error.verdict != Verdict::Fail
        {
            return carried.map(|_| None);
        }
        // Who cannot be carried for good may be there all the same.
        let joined = match &self.campaigns {
            Some(campaigns) => campaigns.join(event).await,
            None => Ok(()),
        };
        match (carried, joined) {
            (Ok(carried), joined) => joined.map(|()| match carried {
                Carried::Written => None,
                Carried::Nothing(why) => Some(why.into()),
            }),
            (Err(_), Err(error)) if error.verdict != Verdict::Fail => Err(error),
            (Err(error), _) => Err(error),
        }
    }
}

#[async_trait]
impl Run for Mirror {
    fn step(&self) -> Step {
        Step::Mirror
    }

    fn deadline(&self) -> Duration {
        mirror::DEADLINE
    }

    fn concurrency(&self) -> u16 {
        4
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let id = job.event_id.ok_or_else(|| anyhow!("a mirror job without an event")).or_fail("broken-job")?;
        let event = db::events::find(&self.db, id).await.or_ours()?;
        let event = event.ok_or_else(|| anyhow!("its event is gone")).or_fail("event-gone")?;
        let next = self.dials.due(&event).into_iter().collect();
        match self.carry(&event, job.claims > 1).await {
            Ok(skipped) => Ok(Outcome { skipped, next, ..Outcome::default() }),
            Err(error) => Err(StepError { next, ..error }),
        }
    }
}
