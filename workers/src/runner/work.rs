//! One delivery: claim the job, run the step, settle. Nothing else touches a delivery or ends a job.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use futures::{FutureExt, future::join_all};
use shared::{
    clock::Clock,
    db::{
        self, Db, outage,
        settle::{End, Settlement},
    },
    domain::{Job, JobId, Outcome, StepError, Verdict, VerdictExt},
    publisher::Publisher,
    queue::{Delivered, SharedQueue},
    replay::{Which, replay},
    service::App,
    telemetry,
};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    leases::Leases,
    records::{Away, Records},
};
use crate::{schedule, step::Run, tuning::Tuning};

/// Errors are kept up to this length on the job's row.
const LONGEST_ERROR: usize = 1000;

/// What all deliveries of a process share.
pub(super) struct Worker {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) owner: Uuid,
    pub(super) leases: Leases,
    pub(super) tuning: Tuning,
    queue: SharedQueue,
    records: Records,
    give_back: CancellationToken,
}

impl Worker {
    pub(super) fn new(app: &App, publisher: Publisher, tuning: Tuning, owner: Uuid) -> Self {
        let records = Records::start(app, publisher, owner, tuning.lease);
        let App { db, clock, queue, .. } = app.clone();
        Self {
            db,
            clock,
            owner,
            leases: Leases::default(),
            tuning,
            queue,
            records,
            give_back: CancellationToken::new(),
        }
    }

    /// What still runs is given back at once.
    pub(super) fn give_back(&self) {
        self.give_back.cancel();
    }

    /// Settles one delivery, whatever happens; `room` bounds how many jobs run at once.
    pub(super) async fn handle(self: Arc<Self>, step: Arc<dyn Run>, delivered: Delivered, room: Arc<Semaphore>) {
        let Delivered { job, more, was_dead, settle, .. } = delivered;
        if job.is_none() {
            tracing::warn!(step = %step.step(), "a message that is none of ours was dropped");
        }
        let all = job.into_iter().chain(more).map(|id| self.one(&step, id, was_dead, &room));
        if join_all(all).await.into_iter().all(|known| known.is_ok()) {
            settle.ack().await;
        } else {
            settle.requeue().await;
        }
    }

    /// One job; `Err` when it could not be found out whether it is ours to do.
    async fn one(&self, step: &Arc<dyn Run>, id: JobId, was_dead: bool, room: &Semaphore) -> Result<(), Away> {
        let _place = room.acquire().await.map_err(|_| Away)?;
        if let Some(job) = self.claim(id, was_dead).await? {
            self.work(step.clone(), job).await;
        }
        Ok(())
    }

    /// The job, if it is due and nobody has it. A letter shovelled back from a dead-letter queue replays its job first.
    async fn claim(&self, id: JobId, was_dead: bool) -> Result<Option<Job>, Away> {
        if was_dead {
            let which = Which::Jobs(vec![id]);
            replay(&self.db, &self.queue, &self.clock, &which).await.map_err(|_| Away)?;
        }
        self.records.claim(id).await
    }

    async fn work(&self, step: Arc<dyn Run>, job: Job) {
        let span = tracing::info_span!(
            "step.run", otel.name = %format!("step.{}", step.step()), step = %step.step(), queue = %job.queue(),
            job.id = %job.id, call.id = job.call_id.map(tracing::field::display),
            event.id = job.event_id.map(tracing::field::display), sink = job.sink.as_ref().map(tracing::field::display),
            attempt = job.attempt, trace_id = tracing::field::Empty,
        );
        telemetry::set_parent(&span, job.traceparent.as_deref());
        let settling = async {
            let started = Instant::now();
            let lease = self.leases.enter(&job);
            let in_flight = metrics::gauge!("tapedeck_in_flight", "queue" => job.queue().as_str().to_owned());
            in_flight.increment(1.0);
            let tried = tokio::select! {
                tried = self.attempted(step.as_ref(), &job) => Some(tried),
                () = self.give_back.cancelled() => None,
                () = lease.lost() => {
                    tracing::warn!("lost its lease; somebody else has the job now");
                    in_flight.decrement(1.0);
                    return;
                }
            };
            let age = self.age_when_told(tried.as_ref());
            let settlement = self.verdict(&job, tried);
            note(&settlement, started.elapsed());
            if self.records.settle(settlement, &self.give_back).await
                && let Some(age) = age
            {
                metrics::histogram!("tapedeck_call_age_seconds", "queue" => job.queue().as_str().to_owned())
                    .record(age);
            }
            drop(lease);
            in_flight.decrement(1.0);
        };
        settling.instrument(span).await;
    }

    /// Seconds from the first event of the call until now, where this try told a sink its end. Counted once that is settled,
    /// as whoever lost the lease may have told what another tells and settles, too.
    fn age_when_told(&self, tried: Option<&Result<Outcome, StepError>>) -> Option<f64> {
        let since = match tried? {
            Ok(outcome) => outcome.told_end,
            Err(error) => error.told_end,
        };
        since.map(|since| (self.clock.now() - since).as_seconds_f64().max(0.0))
    }

    /// From how a try went to how the job ends.
    fn verdict(&self, job: &Job, tried: Option<Result<Outcome, StepError>>) -> Settlement {
        let now = self.clock.now();
        let again = |after: Duration, counts, verdict, error: &StepError| End::Again {
            due_at: now + after,
            counts,
            verdict,
            reason: error.reason.clone(),
            error: text(error),
        };
        let (end, writes, next) = match tried {
            None => {
                let drained = StepError::snooze("drained", Duration::ZERO, anyhow!("the worker was stopped"));
                (again(Duration::ZERO, false, "drain", &drained), Vec::new(), Vec::new())
            }
            Some(Ok(outcome)) => (End::Done { skipped: outcome.skipped }, outcome.writes, outcome.next),
            Some(Err(mut error)) => {
                let (writes, next) = (std::mem::take(&mut error.writes), std::mem::take(&mut error.next));
                let end = match error.verdict {
                    Verdict::Retry { after } => match schedule::delay(job.attempt, self.tuning.retry_scale, jitter()) {
                        Some(delay) => again(delay.max(after.unwrap_or_default()), true, "retry", &error),
                        None => End::Dead { reason: error.reason.clone(), error: text(&error) },
                    },
                    Verdict::Snooze { after } => again(after, false, "snooze", &error),
                    Verdict::Ours => again(Duration::from_secs(1), false, "ours", &error),
                    Verdict::Fail => End::Dead { reason: error.reason.clone(), error: text(&error) },
                };
                (end, writes, next)
            }
        };
        Settlement { job: job.clone(), end, writes, next }
    }

    /// An attempt; of one that was the last, with what follows from that.
    async fn attempted(&self, step: &dyn Run, job: &Job) -> Result<Outcome, StepError> {
        let mut error = match self.attempt(step, job).await {
            Err(error) => unless_refused(error),
            done => return done,
        };
        if !schedule::is_last(error.verdict, job.attempt) {
            return Err(error);
        }
        let giving_up = AssertUnwindSafe(step.given_up(job)).catch_unwind();
        let given_up = outage::within(outage::PATIENCE, giving_up).await.or_ours()?;
        let given_up = given_up.unwrap_or_else(|_| Ok(Outcome::default()));
        let Outcome { writes, next, .. } = given_up.map_err(unless_refused)?;
        error.writes.extend(writes);
        error.next.extend(next);
        Err(error)
    }

    /// Runs the step within its deadline; a panic is a failure like others.
    async fn attempt(&self, step: &dyn Run, job: &Job) -> Result<Outcome, StepError> {
        let (since, deadline) = (self.clock.now(), step.deadline());
        let run = AssertUnwindSafe(step.run(job)).catch_unwind();
        match tokio::time::timeout(deadline, run).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StepError::retry("panic", anyhow!("the step panicked"))),
            Err(_) => {
                let late = anyhow!("not finished after {} s", deadline.as_secs());
                if self.came_further(job, since).await {
                    return Err(StepError::snooze("long-work", Duration::ZERO, late.context("goes on where it is")));
                }
                Err(StepError::retry("deadline", late))
            }
        }
    }

    /// Whether replies were paid for and kept since then: a slow server that hears a long call is no failure.
    async fn came_further(&self, job: &Job, since: DateTime<Utc>) -> bool {
        let Some(call) = job.call_id else { return false };
        let asking = db::pieces::any_since(&self.db, call, job.step, since);
        outage::within(outage::PATIENCE, asking).await.flatten().unwrap_or(false)
    }
}

/// What a step took for our database being away may be something that the database will never answer. That uses up attempts:
/// after the last one somebody looks.
fn unless_refused(error: StepError) -> StepError {
    let said = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<db::Error>().is_some_and(|error| !outage::is_away(error))
    };
    if error.verdict != Verdict::Ours || !error.source.chain().any(said) {
        return error;
    }
    StepError { verdict: Verdict::Retry { after: None }, reason: "database-refuses".into(), ..error }
}

fn text(error: &StepError) -> String {
    let text = format!("{:#}", error.source);
    text.chars().filter(|c| *c != '\0').take(LONGEST_ERROR).collect()
}

/// So that what failed together does not come back together.
#[expect(clippy::disallowed_methods, reason = "the schedule itself takes it as a parameter")]
fn jitter() -> f64 {
    rand::random()
}

/// One log line and one metric per try.
fn note(settlement: &Settlement, took: Duration) {
    let duration_ms = took.as_millis() as u64;
    let outcome = match &settlement.end {
        End::Done { skipped: None } => {
            tracing::debug!(outcome = "done", duration_ms, "done");
            "done"
        }
        End::Done { skipped: Some(reason) } => {
            tracing::info!(outcome = "skipped", %reason, duration_ms, "nothing to do");
            "skipped"
        }
        End::Again { due_at, verdict, reason, error, counts, .. } => {
            // An account without credit comes back by itself, but only after somebody has paid.
            if *counts || *reason == "quota-exhausted" {
                tracing::warn!(outcome = verdict, %reason, error, %due_at, duration_ms, "failed; will be tried again");
            } else {
                tracing::info!(outcome = verdict, %reason, error, %due_at, duration_ms, "comes back later");
            }
            verdict
        }
        End::Dead { reason, error } => {
            tracing::error!(outcome = "dead", %reason, error, duration_ms, "failed for good");
            "dead"
        }
    };
    let queue = settlement.job.queue().as_str().to_owned();
    metrics::histogram!("tapedeck_step_seconds", "queue" => queue.clone(), "outcome" => outcome)
        .record(took.as_secs_f64());
    metrics::histogram!("tapedeck_step_attempts", "queue" => queue, "outcome" => outcome)
        .record(f64::from(settlement.job.attempt));
}
