//! How a try of a step ends. Every failure has a verdict, given where the cause is still known.

use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};

use super::{CallId, Conclusion, Delivery, Feedback, Job, NewJob, Recording, SinkId, Transcript};

/// What becomes of a job whose try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again: after the given time, or by the schedule. Uses up an attempt.
    Retry {
        /// At least this long from now.
        after: Option<Duration>,
    },
    /// Not ready yet, or rate limited: comes back after this time without using up an attempt.
    Snooze {
        /// This long from now.
        after: Duration,
    },
    /// A person must look.
    Fail,
    /// Our own database is away: nothing is recorded, the message goes back to the broker.
    Ours,
}

/// A short stable code for what went wrong (`rate-limited`, `not-audio`), for grouping in metrics and the console.
pub type Reason = Cow<'static, str>;

/// A failed try, with its verdict.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {source:#}")]
pub struct StepError {
    /// What becomes of the job.
    pub verdict: Verdict,
    /// A stable code.
    pub reason: Reason,
    /// What happened. Holds no secret, phone number, transcript or audio URL.
    pub source: anyhow::Error,
    /// What was achieved before it failed, and must not be done again.
    pub writes: Vec<Write>,
    /// What is due all the same.
    pub next: Vec<NewJob>,
    /// As [`Outcome::told_end`], where that came before the failure.
    pub told_end: Option<DateTime<Utc>>,
}

impl StepError {
    /// Try again by the schedule.
    pub fn retry(reason: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::new(Verdict::Retry { after: None }, reason, source)
    }

    /// Come back after `after`, without using up an attempt.
    pub fn snooze(reason: &'static str, after: Duration, source: impl Into<anyhow::Error>) -> Self {
        Self::new(Verdict::Snooze { after }, reason, source)
    }

    /// A person must look.
    pub fn fail(reason: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::new(Verdict::Fail, reason, source)
    }

    /// With that verdict.
    pub fn new(verdict: Verdict, reason: &'static str, source: impl Into<anyhow::Error>) -> Self {
        let (writes, next, told_end) = (Vec::new(), Vec::new(), None);
        Self { verdict, reason: reason.into(), source: source.into(), writes, next, told_end }
    }
}

/// Lets each `?` in a step state its verdict.
pub trait VerdictExt<T> {
    /// Failures of this are tried again.
    fn or_retry(self, reason: &'static str) -> Result<T, StepError>;
    /// Failures of this need a person.
    fn or_fail(self, reason: &'static str) -> Result<T, StepError>;
    /// Failures of this are our own database being away.
    fn or_ours(self) -> Result<T, StepError>;
}

impl<T, E: Into<anyhow::Error>> VerdictExt<T> for Result<T, E> {
    fn or_retry(self, reason: &'static str) -> Result<T, StepError> {
        self.map_err(|e| StepError::retry(reason, e))
    }

    fn or_fail(self, reason: &'static str) -> Result<T, StepError> {
        self.map_err(|e| StepError::fail(reason, e))
    }

    fn or_ours(self) -> Result<T, StepError> {
        self.map_err(|e| StepError::new(Verdict::Ours, "database-away", e))
    }
}

/// What a step that succeeded leaves behind. The runner writes it in one transaction with the end of the job, so that a
/// step itself writes nothing to the database.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Set when there was nothing to do: the reason, kept on the job.
    pub skipped: Option<Reason>,
    /// Results.
    pub writes: Vec<Write>,
    /// What is due now.
    pub next: Vec<NewJob>,
    /// This try was the first to tell a sink how our work on the call ended: when the first event of the call had come.
    pub told_end: Option<DateTime<Utc>>,
}

impl Outcome {
    /// For a job of a call that was found to be another one: that one's job does it, where it is not done.
    pub fn merged(job: &Job, survivor: CallId) -> Self {
        let next = vec![NewJob::woken(job.step, job.sink.as_ref(), survivor)];
        Self { skipped: Some("merged".into()), next, ..Self::default() }
    }
}

/// A result to be written.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a few at a time, for a moment")]
pub enum Write {
    /// The recording is stored.
    Recording(CallId, Recording),
    /// The call was transcribed.
    Transcript(CallId, Transcript),
    /// The call was analyzed.
    Feedback(CallId, Feedback),
    /// Our work on the call ended so.
    Conclusion(CallId, Conclusion),
    /// A sink holds this.
    Delivery(CallId, SinkId, Delivery),
}

impl Write {
    /// Whose.
    pub const fn call(&self) -> CallId {
        match self {
            Self::Recording(call, _)
            | Self::Transcript(call, _)
            | Self::Feedback(call, _)
            | Self::Conclusion(call, _)
            | Self::Delivery(call, ..) => *call,
        }
    }
}
