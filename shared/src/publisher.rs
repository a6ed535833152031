//! Publishes wake-ups right after the commit that made them due. Never in the way: what it cannot take or publish, the
//! dispatcher does a little later.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::mpsc;

use crate::{
    db::{self, Db},
    domain::{JobId, QueueName},
    queue::{SharedQueue, Wakeup},
};

/// How long after a commit the dispatcher leaves a row to the process that wrote it.
pub const GRACE: TimeDelta = TimeDelta::seconds(5);
/// Wake-ups that may wait to be published.
const WAITING: usize = 10_000;
/// Published at the same time.
const AT_ONCE: usize = 16;
/// How long ids are collected before their rows are told that a message is under way.
const COLLECT: Duration = Duration::from_millis(500);

/// Publishes in the background. Cheap to clone.
#[derive(Clone)]
pub struct Publisher(mpsc::Sender<Wakeup>);

impl Publisher {
    /// Starts the tasks; they end when the last publisher is dropped.
    pub fn start(queue: SharedQueue, db: Db) -> Self {
        let (sender, receiver) = mpsc::channel::<Wakeup>(WAITING);
        let (published, collected) = mpsc::channel(WAITING);
        tokio::spawn(publish_all(receiver, queue, published));
        tokio::spawn(note_all(collected, db));
        Self(sender)
    }

    /// Publishes a wake-up soon.
    pub fn publish(&self, job: JobId, queue: QueueName, traceparent: Option<String>) {
        // Full: the dispatcher publishes it.
        let _ = self.0.try_send(Wakeup { job, queue, traceparent });
    }
}

async fn publish_all(mut wakeups: mpsc::Receiver<Wakeup>, queue: SharedQueue, published: mpsc::Sender<JobId>) {
    let mut under_way = tokio::task::JoinSet::new();
    while let Some(wakeup) = wakeups.recv().await {
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        while under_way.try_join_next().is_some() {}
        let (queue, published) = (queue.clone(), published.clone());
        under_way.spawn(async move {
            if queue.publish(&wakeup).await.is_ok() {
                let _ = published.try_send(wakeup.job);
            }
        });
    }
    while under_way.join_next().await.is_some() {}
}

async fn note_all(mut published: mpsc::Receiver<JobId>, db: Db) {
    let mut ids = Vec::new();
    while published.recv_many(&mut ids, WAITING).await > 0 {
        tokio::time::sleep(COLLECT).await;
        while let Ok(id) = published.try_recv() {
            ids.push(id);
        }
        for some in ids.chunks(500) {
            // Not noted: the dispatcher publishes it once more, which is harmless.
            if let Err(error) = db::jobs::note_published(&db, some).await {
                tracing::debug!(%error, "cannot note what was published");
            }
        }
        ids.clear();
    }
}
