//! sync: brings what is known of a call to one sink.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    db::{self, Db},
    domain::{
        Absence, Conclusion, Delivery, Job, Milestone, Outcome, Reason, Report, Step, StepError, VerdictExt, Write,
    },
    links::Links,
    service::App,
    sinks::{Sink, Sinks},
};

use super::call;
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
        let sink_id = job.sink.as_ref().ok_or_else(|| anyhow!("a sync job without a sink")).or_fail("broken-job")?;
        let Some(sink) = self.sinks.get(sink_id) else {
            return Ok(Outcome { skipped: Some("sink-not-configured".into()), ..Outcome::default() });
        };
        let found = match call::of(&self.db, job).await? {
            Ok(found) => found,
            Err(merged) => return Ok(merged),
        };
        let id = found.call.id;
        let mut report = db::reports::load(&self.db, found.call, &found.family, Some(sink_id)).await.or_ours()?;
        let has_merged = found.family.len() > 1;
        if has_merged {
            report.merged = db::calls::merged_into(&self.db, id).await.or_ours()?;
        }
        if report.recording.is_none() && report.call.conclusion == Some(Conclusion::RecordingMissing) {
            // While its fetch is tried once more, too: what was told stays until the recording is there.
            report.absence.get_or_insert(Absence::Missing(String::new()));
        }
        report.recording_link = has_recording(&report).then(|| self.links.link(&report.call)).flatten();
        // Another one's job may have written something whose reply was lost.
        report.maybe_written = job.claims > 1 || has_merged;
        let brought = sink.deliver(&report).await?;
        let skipped = left_out(sink.as_ref(), &report, &brought);
        let told_end = tells_end(&report, &brought).then_some(report.call.created_at);
        let withdrawn = withdraw(sink.as_ref(), &report, &brought).await;
        let brought = brought.into_iter().map(|delivery| Write::Delivery(id, sink_id.clone(), delivery));
        match withdrawn {
            Ok(withdrawn) => {
                let writes = withdrawn.into_iter().chain(brought).collect();
                Ok(Outcome { skipped, writes, told_end, ..Outcome::default() })
            }
            Err(mut error) => {
                error.writes.extend(brought);
                error.told_end = told_end;
                Err(error)
            }
        }
    }
}

/// Why the sink holds nothing of the call, where it does not.
fn left_out(sink: &dyn Sink, report: &Report, brought: &[Delivery]) -> Option<Reason> {
    let holds_nothing = || report.held.is_empty() && brought.is_empty();
    sink.left_out(report, brought).or_else(|| holds_nothing().then(|| "nothing-to-tell".into()))
}

/// Whether the sink was told only now how our work on the call ended.
fn tells_end(report: &Report, brought: &[Delivery]) -> bool {
    let is_end = |d: &Delivery| d.milestone == Milestone::Analyzed && d.content_hash != Delivery::UNFINISHED;
    brought.iter().any(is_end) && !report.held.iter().any(is_end)
}

/// Takes back what the sink was told twice, once for each of two calls that were found to be one; after what is to stay is
/// there.
async fn withdraw(sink: &dyn Sink, report: &Report, brought: &[Delivery]) -> Result<Vec<Write>, StepError> {
    let stays: Vec<&Delivery> = report.held.iter().chain(brought).collect();
    let mut writes = Vec::new();
    for (call, delivery) in &report.outranked {
        match sink.withdraw(report, delivery, &stays).await {
            Ok(left) => writes.extend(left.map(|left| Write::Delivery(*call, sink.id(), left))),
            Err(mut error) => {
                error.writes.append(&mut writes);
                return Err(error);
            }
        }
    }
    Ok(writes)
}

/// Whether the call has a recording, or one was announced that may still come.
fn has_recording(report: &Report) -> bool {
    let facts = &report.call.facts;
    let announced = facts.recorded == Some(true) || facts.recording_announced || facts.recording_url.is_some();
    report.recording.is_some() || (announced && report.absence.is_none())
}
