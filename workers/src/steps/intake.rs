//! intake: ties an accepted event to its call and decides what is due.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    clock::Clock,
    db::{self, Db},
    domain::{
        Call, CallFacts, CallStatus, Conclusion, EventKind, Job, Milestone, NewJob, Outcome, Step, StepError,
        VerdictExt, Wake, Write,
    },
    providers::Providers,
    service::App,
    sinks::Sinks,
    tying,
};

use crate::step::Run;

/// The step.
pub struct Intake {
    db: Db,
    clock: Clock,
    providers: Providers,
    sinks: Sinks,
}

impl Intake {
    /// Takes what it needs.
    pub fn new(app: &App) -> Self {
        let App { db, clock, providers, sinks, .. } = app.clone();
        Self { db, clock, providers, sinks }
    }
}

#[async_trait]
impl Run for Intake {
    fn step(&self) -> Step {
        Step::Intake
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn concurrency(&self) -> u16 {
        16
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let id = job.event_id.ok_or_else(|| anyhow!("an intake job without an event")).or_fail("broken-job")?;
        let event = db::events::find(&self.db, id).await.or_ours()?;
        let event = event.ok_or_else(|| anyhow!("its event is gone")).or_fail("event-gone")?;
        if matches!(event.kind, EventKind::Other(_)) {
            return Ok(skip("not-about-a-call"));
        }
        let provider = self.providers.get(&event.provider);
        let provider = provider.ok_or_else(|| anyhow!("{} is not configured", event.provider));
        let provider = provider.or_fail("provider-not-configured")?;
        let facts = provider.facts(&event).or_fail("event-unusable")?;
        let call = tying::tie(&self.db, &self.providers, &event, &facts, self.clock.now()).await.or_ours()?;
        let mut outcome = due(&call, &event.kind, &facts, &self.sinks);
        if provider.incomplete(&call) {
            // Of a telephone call its carrier may have been asked before.
            let wake = if call.facts.key("call_sid").is_some() { Wake::Yes } else { Wake::No };
            outcome.next.push(NewJob::step(Step::Lookup, call.id, wake));
        }
        Ok(outcome)
    }
}

fn skip(reason: &'static str) -> Outcome {
    Outcome { skipped: Some(reason.into()), ..Outcome::default() }
}

/// What one more event makes due.
fn due(call: &Call, kind: &EventKind, said: &CallFacts, sinks: &Sinks) -> Outcome {
    let mut outcome = Outcome::default();
    let milestone = if call.ended() { Milestone::Ended } else { Milestone::Started };
    let mut tell = sinks.wanting(milestone, call);
    if recording_expected(call) {
        // An event that brings news of the recording wakes a fetch that waits for it, or gave up.
        let news = said.recording_url.is_some() || *kind == EventKind::RecordingAvailable;
        let wake = if news { Wake::Yes } else { Wake::No };
        outcome.next.push(NewJob::step(Step::Fetch, call.id, wake));
    } else if call.ended() && call.conclusion.is_none() && call.facts.words {
        outcome.next.push(NewJob::step(Step::Transcribe, call.id, Wake::No));
    } else if call.ended() && call.conclusion.is_none() {
        outcome.writes.push(Write::Conclusion(call.id, Conclusion::NotRecorded));
        tell.extend(sinks.wanting(Milestone::Analyzed, call));
    }
    if call.conclusion.is_some() {
        // Sinks that were told the end are told what became known since.
        tell.extend(sinks.wanting(Milestone::Analyzed, call));
    }
    tell.sort();
    tell.dedup();
    outcome.next.extend(tell.into_iter().map(|sink| NewJob::sync(call.id, sink)));
    outcome
}

/// Whether there is or may be a recording to fetch by now.
fn recording_expected(call: &Call) -> bool {
    let facts = &call.facts;
    if facts.recording_url.is_some() || facts.recording_announced {
        return true;
    }
    match facts.recorded {
        Some(recorded) => recorded && call.ended(),
        None => facts.status == Some(CallStatus::Completed),
    }
}
