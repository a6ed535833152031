//! Group commit: webhooks that wait at the same moment are written in one transaction, and each is answered once it is
//! committed. Then, in the background, the workers are told.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared::{
    batch::Batcher,
    clock::Clock,
    db::{
        Db,
        events::{self, Incoming, Recorded},
        outage,
    },
    domain::{EventId, NewEvent, NewJob},
    publisher::{self, Publisher},
    service::App,
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

/// Most events in one commit.
const BATCH: usize = 256;
/// While one commit is under way, the next batch fills.
const AT_ONCE: usize = 2;
/// A commit may take this long, with all its tries.
const COMMIT: Duration = Duration::from_secs(8);
/// One try. The next one has another connection, should this one have gone silent.
const TRY: Duration = Duration::from_secs(3);
/// Between two tries of a commit.
const AGAIN: Duration = Duration::from_millis(100);
/// An answer may wait this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Records events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder(Batcher<Waiting, Written>);

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

type Written = Result<Recorded, RecordError>;

struct Waiting {
    incoming: Incoming,
    /// Held until the event is written.
    _room: OwnedSemaphorePermit,
}

impl Recorder {
    /// Starts the tasks; they end when the last recorder is dropped.
    pub(crate) fn start(app: &App) -> Self {
        let writer = Writer {
            db: app.db.clone(),
            clock: app.clock.clone(),
            publisher: Publisher::start(app.queue.clone(), app.db.clone()),
        };
        let writer = std::sync::Arc::new(writer);
        Self(Batcher::start(BATCH, AT_ONCE, move |batch| {
            let writer = writer.clone();
            async move { writer.write(batch).await }
        }))
    }

    /// Returns once the event is committed.
    pub(crate) async fn record(
        &self,
        event: NewEvent,
        traceparent: String,
        room: OwnedSemaphorePermit,
    ) -> Result<(EventId, Recorded), RecordError> {
        let id = EventId::new();
        let incoming = Incoming { id, event, traceparent: Some(traceparent) };
        let waiting = Waiting { incoming, _room: room };
        let written = self.0.try_submit(waiting).map_err(|_| RecordError::Full)?;
        match timeout(PATIENCE, written).await {
            Ok(Some(recorded)) => Ok((id, recorded?)),
            Ok(None) | Err(_) => Err(RecordError::Away),
        }
    }
}

struct Writer {
    db: Db,
    clock: Clock,
    publisher: Publisher,
}

impl Writer {
    /// What became of each, in order.
    async fn write(&self, batch: Vec<Waiting>) -> Vec<Written> {
        metrics::histogram!("tapedeck_ingest_commit_batch_size").record(batch.len() as f64);
        // In one order everywhere, so that two transactions cannot wait for each other.
        let mut batch: Vec<_> = batch.into_iter().enumerate().collect();
        batch.sort_by(|(_, a), (_, b)| key(&a.incoming).cmp(&key(&b.incoming)));
        let (order, incoming): (Vec<_>, Vec<_>) = batch.into_iter().map(|(at, w)| (at, w.incoming)).unzip();
        let now = self.clock.now();
        let publish_at = now + publisher::GRACE;
        let written = match self.commit(&incoming, now, publish_at).await {
            Ok(recorded) => recorded.into_iter().map(Ok).collect(),
            Err(RecordError::Unstorable) if incoming.len() > 1 => self.singly(&incoming, now, publish_at).await,
            Err(error) => vec![Err(error); incoming.len()],
        };
        for (incoming, written) in incoming.into_iter().zip(&written) {
            if *written == Ok(Recorded::New) {
                let job = NewJob::first(incoming.id, &incoming.event.kind);
                let queue = job.queue();
                self.publisher.publish(job.id, queue, incoming.traceparent, publish_at);
            }
        }
        let mut written: Vec<_> = order.into_iter().zip(written).collect();
        written.sort_by_key(|(at, _)| *at);
        written.into_iter().map(|(_, written)| written).collect()
    }

    /// One event that the database refuses must not fail its neighbours.
    async fn singly(&self, batch: &[Incoming], now: DateTime<Utc>, publish_at: DateTime<Utc>) -> Vec<Written> {
        let mut written = Vec::with_capacity(batch.len());
        for incoming in batch {
            let recorded = self.commit(std::slice::from_ref(incoming), now, publish_at).await;
            written.push(recorded.map(|one| one.first().copied().unwrap_or(Recorded::Duplicate)));
        }
        written
    }

    /// A database that was restarted leaves dead connections behind, and a provider that is told 503 may not come again: so
    /// what the database does not refuse is tried until there is no time left.
    async fn commit(
        &self,
        batch: &[Incoming],
        now: DateTime<Utc>,
        publish_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, RecordError> {
        let trying = async {
            loop {
                match outage::within(TRY, events::record(&self.db, batch, now, publish_at)).await.flatten() {
                    Err(error) if !refuses(&error) => {
                        tracing::warn!(%error, events = batch.len(), "events wait for the database");
                    }
                    answer => return answer,
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        match timeout(COMMIT, trying).await {
            Ok(Ok(recorded)) => Ok(recorded),
            Ok(Err(error)) => {
                tracing::warn!(%error, events = batch.len(), "events could not be recorded");
                Err(RecordError::Unstorable)
            }
            Err(_) => {
                tracing::warn!(events = batch.len(), "events could not be recorded in time");
                Err(RecordError::Away)
            }
        }
    }
}

fn key(incoming: &Incoming) -> (&str, &str, &str) {
    let event = &incoming.event;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use shared::{
        domain::{EventKind, ProviderId},
        queue::memory::MemoryQueue,
        testing::{Scratch, Shape},
    };
    use tokio::sync::Semaphore;

    use super::*;

    fn event(dedupe_key: String) -> NewEvent {
        let (provider, account) = (ProviderId::new("cloudtalk"), "default".to_owned());
        NewEvent { provider, account, kind: EventKind::CallEnded, dedupe_key, body: Vec::new() }
    }

    #[tokio::test]
    async fn an_event_that_the_database_refuses_fails_alone() {
        let scratch = Scratch::new(Shape::Production).await;
        let db = scratch.db().await;
        let publisher = Publisher::start(Arc::new(MemoryQueue::default()), db.clone());
        let writer = Writer { db, clock: Clock::system(), publisher };
        let room = Arc::new(Semaphore::new(100));
        // Out of order, so that answers which are not put back into order are noticed.
        let keys = ["c", "with\0nul", "a", "b", "a"];
        let batch = join_all(keys.map(|key| async {
            let incoming = Incoming { id: EventId::new(), event: event(key.to_owned()), traceparent: None };
            let room = room.clone().acquire_owned().await.expect("an open semaphore");
            Waiting { incoming, _room: room }
        }));
        let written = writer.write(batch.await).await;
        let (new, unstorable) = (Ok(Recorded::New), Err(RecordError::Unstorable));
        assert_eq!(written, [new, unstorable, new, new, Ok(Recorded::Duplicate)]);
        assert_eq!(room.available_permits(), 100);
    }
}
