//! The queue carries wake-ups: a message holds a job's id and nothing else of substance. The job row is the truth, so a
//! lost message costs a moment and a duplicate costs nothing.
//!
//! Two backends: [`rabbit`] (RabbitMQ 3.10 to 4.x, quorum queues) and [`memory`] (in process, for the embedded shape).
//! Both pass `conformance`. There is no third.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod memory;
pub mod rabbit;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::domain::{JobId, QueueName};

/// How long [`Settle::requeue`] holds a message, so that it does not go round and round while our database is away.
const REQUEUE_AFTER: Duration = Duration::from_secs(2);

/// A message that says: look at this job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wakeup {
    /// The job to look at; also the message id.
    pub job: JobId,
    /// Others of the same queue that became due at the same moment. Only where jobs are short: whoever takes the message has
    /// them all.
    pub more: Vec<JobId>,
    /// Where it goes.
    pub queue: QueueName,
    /// W3C trace context, carried as a header.
    pub traceparent: Option<String>,
}

impl Wakeup {
    /// A wake-up for one job.
    pub fn new(job: JobId, queue: QueueName, traceparent: Option<String>) -> Self {
        Self { job, more: Vec::new(), queue, traceparent }
    }
}

/// A job that failed for good, as it lies in `<queue>.dead`. Only for the operator's eyes: the row holds the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which job.
    pub job: JobId,
    /// The queue that it failed in.
    pub queue: QueueName,
    /// Stable code of what went wrong.
    pub reason: String,
    /// What happened, shortened to fit a header.
    pub error: String,
    /// Tries that were made.
    pub attempts: i32,
}

/// What had to be created, by this call or since the last one (publishing and consuming create a queue that is missing, but not
/// its dead-letter queue: whoever does must know that all letters are gone).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Created {
    /// All messages that these should hold are gone: their jobs must be published again.
    pub queues: Vec<QueueName>,
    /// All letters are gone from the dead-letter queues of these.
    pub dead: Vec<QueueName>,
}

/// The queue failed us: the broker is away, blocked, or refused. The job's row says what to do once it is back.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No connection, or it broke, or nothing was answered in time.
    #[error("the broker is out of reach: {0}")]
    Unreachable(String),
    /// The broker returned or refused the message.
    #[error("the broker refused: {0}")]
    Refused(String),
}

/// A queue backend.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes sure that these queues and their dead-letter queues exist. To be called at start and then regularly.
    async fn declare(&self, queues: &[QueueName]) -> Result<Created, QueueError>;

    /// Publishes; returns once the broker has taken responsibility for the message and routed it.
    async fn publish(&self, wakeup: &Wakeup) -> Result<(), QueueError>;

    /// Starts consuming with that many unsettled messages at a time. Until `stop` is cancelled the consumer
    /// survives the loss of connection, channel and queue. After that, messages in hand can still be settled.
    async fn consume(&self, queue: &QueueName, prefetch: u16, stop: CancellationToken) -> Box<dyn Consumer>;

    /// Puts a letter on `<queue>.dead`, which was declared.
    async fn bury(&self, letter: &DeadLetter) -> Result<(), QueueError>;

    /// Takes the letters of these jobs off `<queue>.dead`, leaving the others. Returns how many were taken. Two at a time hide
    /// letters from each other.
    async fn unbury(&self, queue: &QueueName, jobs: &[JobId]) -> Result<usize, QueueError>;

    /// Messages that wait (not those which a consumer holds).
    async fn depth(&self, queue: &QueueName) -> Result<u64, QueueError>;

    /// Letters in `<queue>.dead`.
    async fn dead_depth(&self, queue: &QueueName) -> Result<u64, QueueError>;

    /// Whether the broker can be used at this moment; for readiness.
    fn connected(&self) -> bool;

    /// Whether consumers really are consuming; for liveness. An outage is nobody's deafness: it counts from the moment
    /// on that there is a connection.
    fn hearing(&self) -> Hearing;

    /// Ends connections. Unsettled messages go back.
    async fn close(&self);
}

/// A running consumer.
#[async_trait]
pub trait Consumer: Send {
    /// The next message; `None` once stopped. Waits out outages. Dropping the future loses nothing. A consumer that is
    /// dropped, or was stopped, gives back what it holds and has not handed out.
    async fn next(&mut self) -> Option<Delivered>;
}

/// Whether consumers are really consuming. A worker that is connected but deaf must be noticed: liveness fails when
/// a consumer has not been registered with the broker for long although it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// Registered, or never asked to consume.
    Fine,
    /// At least one consumer has not been registered for this long.
    Deaf(Duration),
}

/// A message that was delivered; settled exactly once. If it is dropped unsettled it goes back.
pub struct Delivered {
    /// Which job to look at; `None` when the message is not one of ours.
    pub job: Option<JobId>,
    /// Others to look at.
    pub more: Vec<JobId>,
    /// It came back from a dead-letter queue (an operator shovelled it): the job is to be replayed.
    pub was_dead: bool,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// How to settle it.
    pub settle: Box<dyn Settle>,
}

/// Settles one message.
#[async_trait]
pub trait Settle: Send {
    /// The outcome is recorded in the job's row; the message may go. Failing is harmless: it will come again.
    async fn ack(self: Box<Self>);
    /// Gives it back, because our own database is away; holds it for a moment first. Never wears out a message, however
    /// long the outage.
    async fn requeue(self: Box<Self>);
}

/// The backend in use.
pub type SharedQueue = Arc<dyn Queue>;
