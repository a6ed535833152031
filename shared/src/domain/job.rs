//! A job: one step for one call (and sink), or the first step of one event. The row is the truth, a message only wakes it up.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::{CallId, EventId, EventKind, JobId, ProviderId, QueueName, SinkId, Step};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Due at its `due_at`.
    Waiting,
    /// Claimed by a worker under a lease.
    Running,
    /// Finished.
    Done,
    /// Nothing to do, with the reason kept.
    Skipped,
    /// Failed for good; a person must look.
    Dead,
}

impl JobState {
    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
        }
    }
}

/// What happens when the job to be added exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// It stays as it is.
    No,
    /// There is news for it: if waiting it becomes due now; if finished, skipped or dead it starts afresh; if running it
    /// runs once more.
    Yes,
}

/// A job to be added in the transaction that makes it due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Derived from what the job is, so that adding it twice is one job.
    pub id: JobId,
    /// Which step.
    pub step: Step,
    /// For every step but intake, mirror, dial and poll.
    pub call_id: Option<CallId>,
    /// For intake, mirror and dial.
    pub event_id: Option<EventId>,
    /// For sync; for poll the provider, as it is what the queue's name ends with.
    pub sink: Option<SinkId>,
    /// What to do when it exists.
    pub wake: Wake,
}

impl NewJob {
    /// The first step of an event of this kind.
    pub fn first(event: EventId, kind: &EventKind) -> Self {
        let (id, step) = (JobId(event.0), kind.first_step());
        Self { id, step, call_id: None, event_id: Some(event), sink: None, wake: Wake::No }
    }

    /// Intake of an event about a call.
    pub fn intake(event: EventId) -> Self {
        Self::first(event, &EventKind::CallEnded)
    }

    /// A step for a call.
    pub fn step(step: Step, call: CallId, wake: Wake) -> Self {
        Self { id: derive(call.0, step.as_str()), step, call_id: Some(call), event_id: None, sink: None, wake }
    }

    /// Bringing a call to a sink. Always wakes: there is something new to bring.
    pub fn sync(call: CallId, sink: SinkId) -> Self {
        let id = derive(call.0, QueueName::of(Step::Sync, Some(&sink)).as_str());
        Self { id, step: Step::Sync, call_id: Some(call), event_id: None, sink: Some(sink), wake: Wake::Yes }
    }

    /// A step (and sink) for a call that has news for it.
    pub fn woken(step: Step, sink: Option<&SinkId>, call: CallId) -> Self {
        match sink {
            Some(sink) => Self::sync(call, sink.clone()),
            None => Self::step(step, call, Wake::Yes),
        }
    }

    /// Calling up whom an event says to be a new contact.
    pub fn dial(event: EventId) -> Self {
        let step = Step::Dial;
        let id = derive(event.0, step.as_str());
        Self { id, step, call_id: None, event_id: Some(event), sink: None, wake: Wake::No }
    }

    /// Asking a provider's API from time to time; there is one such job for each provider.
    pub fn poll(provider: &ProviderId) -> Self {
        let sink = SinkId::from(provider.as_str().to_owned());
        let digest = Sha256::digest(QueueName::of(Step::Poll, Some(&sink)).as_str());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        let id = JobId(Builder::from_custom_bytes(bytes).into_uuid());
        Self { id, step: Step::Poll, call_id: None, event_id: None, sink: Some(sink), wake: Wake::Yes }
    }

    /// The queue that carries it.
    pub fn queue(&self) -> QueueName {
        QueueName::of(self.step, self.sink.as_ref())
    }
}

/// Keeps the id's time bits in front, so that the jobs of a call lie together in the index.
fn derive(of: Uuid, what: &str) -> JobId {
    let digest = Sha256::new().chain_update(of.as_bytes()).chain_update(what).finalize();
    let mut bytes: [u8; 16] = *of.as_bytes();
    bytes[6..].copy_from_slice(&digest[..10]);
    let id: Uuid = Builder::from_custom_bytes(bytes).into_uuid();
    JobId(id)
}

/// A claimed job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which job.
    pub id: JobId,
    /// Which step.
    pub step: Step,
    /// For every step but intake, mirror, dial and poll.
    pub call_id: Option<CallId>,
    /// For intake, mirror and dial.
    pub event_id: Option<EventId>,
    /// For sync; for poll the provider.
    pub sink: Option<SinkId>,
    /// This try's number, from 1. Snoozes do not count.
    pub attempt: i32,
    /// How often it was claimed, snoozes and lost leases included. Above 1, an earlier try may have left traces outside.
    pub claims: i32,
    /// How often it was snoozed since it last made progress.
    pub snoozes: i32,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// W3C trace context of the webhook that started it.
    pub traceparent: Option<String>,
}

impl Job {
    /// The queue that carries it.
    pub fn queue(&self) -> QueueName {
        QueueName::of(self.step, self.sink.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_work_is_the_same_job() {
        let call = CallId::new();
        let sync = |name: &'static str| NewJob::sync(call, SinkId::new(name)).id;
        assert_eq!(sync("callmind"), sync("callmind"));
        assert_ne!(sync("callmind"), sync("gohighlevel"));
        assert_ne!(NewJob::step(Step::Fetch, call, Wake::No).id, NewJob::step(Step::Analyze, call, Wake::No).id);
        assert_ne!(NewJob::step(Step::Fetch, call, Wake::No).id, NewJob::step(Step::Fetch, CallId::new(), Wake::No).id);
    }
}
