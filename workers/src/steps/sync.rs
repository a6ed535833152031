//! sync: brings what is known of a call to one sink.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    db::{self, Db},
    domain::{Conclusion, Job, Outcome, Report, Step, StepError, VerdictExt, Write},
    links::Links,
    service::App,
    sinks::Sinks,
};

use crate::step::Run;

/// The step, for all sinks; each has its own queue and jobs.
pub struct Sync {
    db: Db,
    sinks: Sinks,
    links: Links,
}

impl Sync {
    /// Takes what it needs.
    pub fn new(app: &App) -> Self {
        Self { db: app.db.clone(), sinks: app.sinks.clone(), links: app.links.clone() }
    }
}

#[async_trait]
impl Run for Sync {
    fn step(&self) -> Step {
        Step::Sync
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn concurrency(&self) -> u16 {
        8
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let id = job.call_id.ok_or_else(|| anyhow!("a sync job without a call")).or_fail("broken-job")?;
        let sink_id = job.sink.as_ref().ok_or_else(|| anyhow!("a sync job without a sink")).or_fail("broken-job")?;
        let Some(sink) = self.sinks.get(sink_id) else {
            return Ok(Outcome { skipped: Some("sink-not-configured".into()), ..Outcome::default() });
        };
        let report = db::reports::load(&self.db, id, Some(sink_id)).await.or_ours()?;
        let mut report = report.ok_or_else(|| anyhow!("its call is gone")).or_fail("call-gone")?;
        if report.call.id != id {
            return Ok(Outcome::merged());
        }
        report.recording_link = has_recording(&report).then(|| self.links.link(&report.call)).flatten();
        report.maybe_written = job.claims > 1;
        let brought = sink.deliver(&report).await?;
        let writes = brought.into_iter().map(|delivery| Write::Delivery(id, sink_id.clone(), delivery)).collect();
        Ok(Outcome { writes, ..Outcome::default() })
    }
}

/// Whether the call has a recording, or one was announced that did not turn out to be missing.
fn has_recording(report: &Report) -> bool {
    let facts = &report.call.facts;
    let announced = facts.recorded == Some(true) || facts.recording_announced || facts.recording_url.is_some();
    report.recording.is_some() || (announced && !report.concluded(Conclusion::NotRecorded))
}
