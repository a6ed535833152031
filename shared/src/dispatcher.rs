//! The dispatcher: one loop that publishes rows which are due and not published. It is the outbox, the retry schedule
//! (any delay, to the moment) and the recovery from a broker that lost everything. It may run in every process at once.

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use futures::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    db::{
        self, Db,
        jobs::Due,
        outage::{PATIENCE, within},
    },
    domain::{JobId, QueueName},
    queue::{QueueError, SharedQueue, Wakeup},
};

/// Rows published in one transaction.
const BATCH: i64 = 500;
/// Published at the same time.
const AT_ONCE: usize = 16;
/// Nothing more of a batch is published after this: its rows are locked, and workers that want them wait.
const HOLD: Duration = Duration::from_secs(1);
/// What a queue refuses is offered to it again after this, so that it does not stand in the way of other queues' jobs.
const REFUSED: TimeDelta = TimeDelta::seconds(5);
/// Longest sleep between two looks.
const TICK: Duration = Duration::from_millis(250);
/// How often queues are declared, leases checked, and lost messages looked for.
const CHORES: Duration = Duration::from_secs(2);
/// A row that is due for so long, waits, and has no message in its queue has lost its message.
const LOST_AFTER: TimeDelta = TimeDelta::seconds(20);
/// After our own outage workers get this long to settle what they hold before their leases are taken.
const AFTER_OUTAGE: Duration = Duration::from_secs(10);

/// Publishes what is due.
pub struct Dispatcher {
    /// The rows.
    pub db: Db,
    /// Where to.
    pub queue: SharedQueue,
    /// The time.
    pub clock: Clock,
    /// All queues that there are.
    pub queues: Vec<QueueName>,
    /// A job whose worker vanished that often is dead.
    pub max_attempts: i32,
}

/// What became of a batch.
#[derive(Default)]
struct Published {
    ids: Vec<JobId>,
    /// Queues that take nothing although the broker is there.
    troubled: BTreeSet<QueueName>,
    error: Option<QueueError>,
}

impl Dispatcher {
    /// Runs until `stop` is cancelled. Outages of database and broker are waited out.
    pub async fn run(self, stop: CancellationToken) {
        let mut chores_due = Instant::now();
        // This process may be back before those that were in the middle when the database went away.
        let mut leases_from = Instant::now() + if self.db.is_shared() { AFTER_OUTAGE } else { Duration::ZERO };
        let mut down = false;
        // Breaking off in the middle is harmless: what was published and not noted is published once more.
        while let Some(look) = stop.run_until_cancelled(self.look(&mut chores_due, leases_from)).await {
            let pause = match look {
                Ok(pause) => {
                    if std::mem::take(&mut down) {
                        tracing::info!("dispatcher works again");
                    }
                    pause
                }
                Err(error) => {
                    if !std::mem::replace(&mut down, true) {
                        tracing::warn!(%error, "dispatcher cannot work; goes on trying");
                    }
                    if error.downcast_ref::<QueueError>().is_none() {
                        leases_from = Instant::now() + AFTER_OUTAGE;
                    }
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// A queue that is in trouble holds up neither the others nor the leases.
    async fn look(&self, chores_due: &mut Instant, leases_from: Instant) -> anyhow::Result<Duration> {
        let mut restored = Ok(());
        if *chores_due <= Instant::now() {
            *chores_due = Instant::now() + CHORES;
            if leases_from <= Instant::now() {
                within(PATIENCE, self.take_expired()).await??;
            }
            restored = self.restore_lost().await;
        }
        // The broker has its share of that time.
        while within(2 * PATIENCE, self.publish_due()).await?? && Instant::now() < *chores_due {}
        restored?;
        let next = within(PATIENCE, db::jobs::next_due(&self.db)).await??;
        let wait = next.map_or(TICK, |at| (at - self.clock.now()).to_std().unwrap_or_default());
        Ok(wait.clamp(Duration::from_millis(2), TICK))
    }

    /// Publishes one batch; true when there may be more.
    async fn publish_due(&self) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let due = db::jobs::due(&self.db, &mut tx, BATCH, now).await?;
        if due.is_empty() {
            return Ok(false);
        }
        let more = i64::try_from(due.len()).is_ok_and(|count| count == BATCH);
        let all: Vec<(JobId, QueueName)> = due.iter().map(|due| (due.id, due.queue.clone())).collect();
        let Published { ids, troubled, error } = self.publish_all(due).await;
        db::jobs::published(&mut tx, &ids).await?;
        // Also those that were not tried: each try may take seconds, and what waits behind them is for queues that are well.
        let refused = |(id, queue): &(JobId, QueueName)| troubled.contains(queue) && !ids.contains(id);
        let refused: Vec<JobId> = all.iter().filter(|job| refused(job)).map(|(id, _)| *id).collect();
        db::jobs::put_off(&mut tx, &refused, self.clock.now() + REFUSED).await?;
        tx.commit().await?;
        metrics::counter!("tapedeck_dispatched_total").increment(ids.len() as u64);
        error.map_or(Ok(more), |error| Err(error.into()))
    }

    /// Publishes as many as it can while others wait for these rows: not for long, and not at all without a broker.
    async fn publish_all(&self, due: Vec<Due>) -> Published {
        let publish = |due: Due| async move {
            let wakeup = Wakeup::new(due.id, due.queue, due.traceparent);
            let answer = self.queue.publish(&wakeup).await;
            (wakeup, answer)
        };
        let enough = CancellationToken::new();
        let due = stream::iter(due).take_until(tokio::time::timeout(HOLD, enough.cancelled()));
        let mut answers = std::pin::pin!(due.map(publish).buffer_unordered(AT_ONCE));
        let mut published = Published::default();
        while let Some((wakeup, answer)) = answers.next().await {
            match answer {
                Ok(()) => published.ids.push(wakeup.job),
                Err(error) => {
                    // A broker that is there and does not confirm has a broken queue: that one must not hold up the others.
                    if matches!(error, QueueError::Refused(_)) || self.queue.connected() {
                        published.troubled.insert(wakeup.queue);
                    }
                    if matches!(error, QueueError::Unreachable(_)) {
                        enough.cancel();
                    }
                    published.error = Some(error);
                }
            }
        }
        published
    }

    async fn take_expired(&self) -> anyhow::Result<()> {
        let (back, dead) = db::jobs::expire(&self.db, self.max_attempts, self.clock.now()).await?;
        if back > 0 {
            tracing::warn!(jobs = back, "workers vanished; their jobs are due again");
        }
        for lost in dead {
            tracing::error!(job.id = %lost.id, queue = %lost.queue, attempt = lost.attempts, "dead: no worker survives it");
        }
        Ok(())
    }

    /// A queue that had to be created held nothing; one that is empty holds no message of a row that waits for long.
    async fn restore_lost(&self) -> anyhow::Result<()> {
        let mut restored = Ok(());
        for queue in &self.queues {
            if let Err(error) = self.restore(queue).await {
                restored = Err(error);
            }
        }
        restored
    }

    async fn restore(&self, queue: &QueueName) -> anyhow::Result<()> {
        let created = self.queue.declare(std::slice::from_ref(queue)).await?;
        if !created.dead.is_empty() {
            let letters = within(PATIENCE, db::letters::lost(&self.db, queue)).await??;
            // A queue in memory holds nothing at the start.
            if letters > 0 && self.db.is_shared() {
                tracing::warn!(%queue, letters, "the broker had lost these dead letters; they are written again");
            }
        }
        if !created.queues.is_empty() {
            let jobs = within(PATIENCE, db::jobs::republish(&self.db, queue)).await??;
            if jobs > 0 {
                tracing::warn!(%queue, jobs, "the broker had lost this queue; its jobs are published again");
            }
        }
        // A queue that holds messages may hold this row's; a healthy one is empty every now and then.
        if self.queue.depth(queue).await? > 0 {
            return Ok(());
        }
        let before = self.clock.now() - LOST_AFTER;
        let jobs = within(PATIENCE, db::jobs::republish_lost(&self.db, queue, before)).await??;
        if jobs > 0 {
            tracing::info!(%queue, jobs, "messages were lost; their jobs are published again");
        }
        Ok(())
    }
}
