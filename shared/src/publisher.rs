//! Publishes wake-ups right after the commit that made them due. Never in the way: what it cannot take or publish, the
//! dispatcher does a little later.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use crate::{
    batch::Batcher,
    db::{self, Db, outage},
    domain::{JobId, QueueName, Step},
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

/// Wake-ups of intake that share a message.
const SHARED: usize = 64;
/// Shared messages under way at the same time: few, so that what comes meanwhile shares the next one.
const SHARED_AT_ONCE: usize = 2;

/// Publishes in the background. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    single: mpsc::Sender<Pending>,
    shared: Batcher<Pending, ()>,
}

/// A wake-up, and when the dispatcher would publish it.
type Pending = (Wakeup, DateTime<Utc>);
type Published = (JobId, DateTime<Utc>);

impl Publisher {
    /// Starts the tasks; they end when the last publisher is dropped.
    pub fn start(queue: SharedQueue, db: Db) -> Self {
        let (single, receiver) = mpsc::channel::<Pending>(WAITING);
        let (published, collected) = mpsc::channel(WAITING);
        tokio::spawn(publish_all(receiver, queue.clone(), published.clone()));
        tokio::spawn(note_all(collected, db));
        let shared = Batcher::start(SHARED, SHARED_AT_ONCE, move |wakeups: Vec<Pending>| {
            let (queue, published) = (queue.clone(), published.clone());
            async move { publish_shared(wakeups, &queue, &published).await }
        });
        Self { single, shared }
    }

    /// Publishes a wake-up soon; `publish_at` is what the row says. Intake is short, and a message costs the broker more than
    /// intake costs us: wake-ups that wait at the same moment share one, as their webhooks shared a commit. Every other step's go
    /// alone, to whichever worker is free.
    pub fn publish(&self, job: JobId, queue: QueueName, traceparent: Option<String>, publish_at: DateTime<Utc>) {
        let shares = queue.as_str() == Step::Intake.as_str();
        let wakeup = (Wakeup::new(job, queue, traceparent), publish_at);
        // Full: the dispatcher publishes it.
        if shares {
            drop(self.shared.try_submit(wakeup));
        } else {
            let _ = self.single.try_send(wakeup);
        }
    }
}

async fn publish_shared(wakeups: Vec<Pending>, queue: &SharedQueue, published: &mpsc::Sender<Published>) -> Vec<()> {
    let answers = vec![(); wakeups.len()];
    let jobs: Vec<Published> = wakeups.iter().map(|(wakeup, publish_at)| (wakeup.job, *publish_at)).collect();
    let mut wakeups = wakeups.into_iter().map(|(wakeup, _)| wakeup);
    let Some(mut first) = wakeups.next() else { return answers };
    first.more = wakeups.map(|wakeup| wakeup.job).collect();
    if queue.publish(&first).await.is_ok() {
        for job in jobs {
            let _ = published.try_send(job);
        }
    }
    answers
}

async fn publish_all(mut wakeups: mpsc::Receiver<Pending>, queue: SharedQueue, published: mpsc::Sender<Published>) {
    let mut under_way = tokio::task::JoinSet::new();
    while let Some((wakeup, publish_at)) = wakeups.recv().await {
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        while under_way.try_join_next().is_some() {}
        let (queue, published) = (queue.clone(), published.clone());
        under_way.spawn(async move {
            if queue.publish(&wakeup).await.is_ok() {
                let _ = published.try_send((wakeup.job, publish_at));
            }
        });
    }
    while under_way.join_next().await.is_some() {}
}

async fn note_all(mut published: mpsc::Receiver<Published>, db: Db) {
    let mut jobs = Vec::new();
    while published.recv_many(&mut jobs, WAITING).await > 0 {
        tokio::time::sleep(COLLECT).await;
        while let Ok(job) = published.try_recv() {
            jobs.push(job);
        }
        for some in jobs.chunks(500) {
            // Not noted: the dispatcher publishes it once more, which is harmless.
            if let Err(error) = outage::within(outage::PATIENCE, db::jobs::note_published(&db, some)).await.flatten() {
                tracing::debug!(%error, "cannot note what was published");
            }
        }
        jobs.clear();
    }
}
