//! Group commit: webhooks that wait at the same moment are written in one transaction, and each is answered once it is
//! committed.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use shared::{
    clock::Clock,
    db::{
        Db,
        events::{self, Incoming, Recorded},
    },
    domain::{EventId, NewEvent, NewJob},
    queue::Wakeup,
};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, mpsc, oneshot},
    time::timeout,
};
use tokio_util::task::TaskTracker;

use crate::announcer::Announcer;

/// Most events in one commit.
const BATCH: usize = 256;
/// Events that wait to be written; more are told to come back.
const WAITING: usize = 4096;
/// While one writer commits, the other's batch fills.
const WRITERS: usize = 2;
/// A commit may take this long.
const COMMIT: Duration = Duration::from_secs(8);
/// An answer may wait this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// When the dispatcher takes over publishing: late enough that the announcer has usually done it.
const HAND_OVER: TimeDelta = TimeDelta::seconds(10);

/// Takes events to be recorded.
#[derive(Clone)]
pub(crate) struct Recorder(mpsc::Sender<Waiting>);

/// Why an event was not recorded. Not even that is certain when the connection broke: recording it again is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    /// More wait than can be written in time.
    #[error("too many events wait to be written")]
    Full,
    /// The database is away or too slow.
    #[error("the database is out of reach")]
    Away,
    /// The database refuses this very event.
    #[error("the database cannot hold this event")]
    Unstorable,
}

struct Waiting {
    incoming: Incoming,
    answer: oneshot::Sender<Result<Recorded, RecordError>>,
    /// Held until the event is written.
    _room: OwnedSemaphorePermit,
}

impl Recorder {
    pub(crate) fn start(db: Db, clock: Clock, announcer: Announcer, tasks: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..WRITERS {
            let writer = Writer { db: db.clone(), clock: clock.clone(), announcer: announcer.clone() };
            tasks.spawn(writer.run(receiver.clone()));
        }
        Self(sender)
    }

    /// Returns once the event is committed.
    pub(crate) async fn record(
        &self,
        event: NewEvent,
        traceparent: String,
        room: OwnedSemaphorePermit,
    ) -> Result<(EventId, Recorded), RecordError> {
        let id = EventId::new();
        let (answer, answered) = oneshot::channel();
        let incoming = Incoming { id, event, traceparent: Some(traceparent) };
        self.0.try_send(Waiting { incoming, answer, _room: room }).map_err(|_| RecordError::Full)?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(recorded)) => Ok((id, recorded?)),
            Ok(Err(_)) | Err(_) => Err(RecordError::Away),
        }
    }
}

struct Writer {
    db: Db,
    clock: Clock,
    announcer: Announcer,
}

impl Writer {
    async fn run(self, receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            if receiver.lock().await.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            self.write(batch).await;
        }
    }

    async fn write(&self, mut batch: Vec<Waiting>) {
        metrics::histogram!("tapedeck_ingest_commit_batch_size").record(batch.len() as f64);
        // In one order everywhere, so that two writers cannot wait for each other.
        batch.sort_by(|a, b| key(a).cmp(&key(b)));
        let (incoming, rest): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.incoming, (w.answer, w._room))).unzip();
        let outcomes = match self.commit(&incoming).await {
            Ok(recorded) => recorded.into_iter().map(Ok).collect(),
            Err(RecordError::Unstorable) if incoming.len() > 1 => self.singly(&incoming).await,
            Err(error) => vec![Err(error); incoming.len()],
        };
        for ((incoming, (answer, _room)), outcome) in incoming.into_iter().zip(rest).zip(outcomes) {
            if outcome == Ok(Recorded::New) {
                let job = NewJob::intake(incoming.id);
                let queue = job.queue();
                self.announcer.announce(Wakeup { job: job.id, queue, traceparent: incoming.traceparent });
            }
            // Whoever waited may have hung up.
            let _ = answer.send(outcome);
        }
    }

    /// One event that the database refuses must not fail its neighbours.
    async fn singly(&self, batch: &[Incoming]) -> Vec<Result<Recorded, RecordError>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for incoming in batch {
            let recorded = self.commit(std::slice::from_ref(incoming)).await;
            outcomes.push(recorded.map(|one| one.first().copied().unwrap_or(Recorded::Duplicate)));
        }
        outcomes
    }

    async fn commit(&self, batch: &[Incoming]) -> Result<Vec<Recorded>, RecordError> {
        let now = self.clock.now();
        match timeout(COMMIT, events::record(&self.db, batch, now, now + HAND_OVER)).await {
            Ok(Ok(recorded)) => Ok(recorded),
            Ok(Err(error)) => {
                tracing::warn!(%error, events = batch.len(), "events could not be recorded");
                Err(if refuses(&error) { RecordError::Unstorable } else { RecordError::Away })
            }
            Err(_) => {
                tracing::warn!(events = batch.len(), "events could not be recorded in time");
                Err(RecordError::Away)
            }
        }
    }
}

fn key(waiting: &Waiting) -> (&str, &str, &str) {
    let event = &waiting.incoming.event;
    (event.provider.as_str(), &event.account, &event.dedupe_key)
}

/// Whether the error is about the data (SQLSTATE class 22: a NUL in a text, a value out of range), not about the database.
fn refuses(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22")),
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}
