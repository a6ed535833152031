//! poll: asks a provider's API from time to time what no webhook brought. One job per provider, which comes back by itself;
//! that one process at a time asks comes from its lease.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    clock::Clock,
    db::{self, Db},
    domain::{Job, NewJob, Outcome, Step, StepError, Verdict, VerdictExt},
    providers::{Polling, Provider, Providers},
    service::App,
};
use tokio_util::sync::CancellationToken;

use crate::step::Run;

/// What the API lists by its beginning may become complete so much later: no call is longer than a day.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Pages of one round. The rest is for the next one.
const PAGES: usize = 1000;
/// One round, below the step's deadline: a round that is cut off there would use up an attempt.
const ROUND: Duration = Duration::from_secs(14 * 60);
/// Between two tries to start while the database is away.
const PAUSE: Duration = Duration::from_secs(2);

/// The step.
pub struct Poll {
    db: Db,
    clock: Clock,
    providers: Providers,
}

impl Poll {
    /// Takes what it needs.
    pub fn new(app: &App) -> Self {
        let App { db, clock, providers, .. } = app.clone();
        Self { db, clock, providers }
    }

    /// Asks for everything since the last round that ended, and records it. Returns how much was new.
    async fn round(&self, provider: &dyn Provider, job: &Job) -> Result<usize, StepError> {
        let began = self.clock.now();
        let name = format!("polled.{}", provider.id());
        let last = db::settings::get(&self.db, &name).await.or_ours()?;
        let last: DateTime<Utc> = last.and_then(|text| text.parse().ok()).unwrap_or(began);
        let (mut page, mut new) = (None, 0);
        for _ in 0..PAGES {
            let found = provider.poll(last - OVERLAP, page.as_deref()).await?;
            let now = self.clock.now();
            new += db::events::learn(&self.db, found.events, job.traceparent.as_deref(), now).await.or_ours()?;
            if found.next.is_none() || found.next == page {
                db::settings::put(&self.db, &name, &began.to_rfc3339()).await.or_ours()?;
                return Ok(new);
            }
            page = found.next;
        }
        Err(StepError::retry("too-many-pages", anyhow!("more than {PAGES} pages")))
    }
}

#[async_trait]
impl Run for Poll {
    fn step(&self) -> Step {
        Step::Poll
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(15 * 60)
    }

    fn concurrency(&self) -> u16 {
        1
    }

    /// Never ends well: it comes back later, in the words of a snooze.
    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let name = job.sink.as_ref().ok_or_else(|| anyhow!("a poll job without a provider")).or_fail("broken-job")?;
        let provider = self.providers.iter().find(|provider| provider.id().as_str() == name.as_str());
        let (Some(provider), Some(Polling::Every(interval))) = (provider, provider.map(|p| p.polling())) else {
            return Ok(Outcome { skipped: Some("polling-off".into()), ..Outcome::default() });
        };
        let round = tokio::time::timeout(ROUND, self.round(provider.as_ref(), job)).await;
        let late = || Err(StepError::retry("slow-round", anyhow!("not finished after {} s", ROUND.as_secs())));
        match round.unwrap_or_else(|_| late()) {
            Ok(new) => {
                if new > 0 {
                    tracing::info!(provider = %provider.id(), new, "its API knew more than its webhooks brought");
                }
                Err(StepError::snooze("polled", interval, anyhow!("{new} new; it is asked again then")))
            }
            Err(error) => Err(later(error, interval)),
        }
    }
}

/// A provider that cannot be asked, whatever the reason, is asked again: there is no other round that could fail instead.
fn later(error: StepError, interval: Duration) -> StepError {
    let verdict = match error.verdict {
        Verdict::Ours => Verdict::Ours,
        Verdict::Snooze { after } | Verdict::Retry { after: Some(after) } => {
            Verdict::Snooze { after: after.max(interval) }
        }
        Verdict::Retry { after: None } | Verdict::Fail => Verdict::Snooze { after: interval },
    };
    tracing::warn!(reason = %error.reason, error = format!("{:#}", error.source), "the provider could not be polled");
    StepError { verdict, ..error }
}

/// Makes the providers' rounds due, as the settings may be new; waits for the database if it must.
pub async fn arm(app: App, stop: CancellationToken) {
    let every = |provider: &dyn Provider| matches!(provider.polling(), Polling::Every(_));
    let polled = app.providers.iter().filter(|provider| every(provider.as_ref()));
    let jobs: Vec<_> = polled.map(|provider| (NewJob::poll(&provider.id()), None)).collect();
    while !jobs.is_empty() && !stop.is_cancelled() {
        match add(&app, &jobs).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "cannot start polling: the database is away"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn add(app: &App, jobs: &[(NewJob, Option<String>)]) -> Result<(), shared::db::Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    db::jobs::add(&mut tx, jobs, now, now).await?;
    tx.commit().await
}
