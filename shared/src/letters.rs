//! Dead letters: for each dead job one on `<queue>.dead`, for operators to see and to shovel back. The rows say which there must
//! be, as they do for wake-ups, so that a broker that was away, or lost everything, has the right ones again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{
        self, Db,
        outage::{PATIENCE, within},
    },
    domain::{JobId, QueueName},
    queue::SharedQueue,
};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Letters that are written in one go.
const BATCH: i64 = 500;
/// The name under which one process at a time does it: two that take letters away would hide them from each other.
const LOCK: &str = "dead-letters";
/// One go. To take letters off a queue, all that lie there are walked over.
const HELD: Duration = Duration::from_secs(5 * 60);

/// Keeps the dead-letter queues as the rows say until `stop` is cancelled. Outages are waited out. May run in every process at once.
pub async fn keep(db: Db, queue: SharedQueue, clock: Clock, stop: CancellationToken) {
    let mut trouble = false;
    while let Some(put) = stop.run_until_cancelled(put_right(&db, &queue, &clock)).await {
        match put {
            Ok(()) => trouble = false,
            Err(error) => {
                if !std::mem::replace(&mut trouble, true) {
                    tracing::warn!(error = format!("{error:#}"), "dead letters cannot be put right; goes on trying");
                }
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

/// One go, unless another process is at it.
async fn put_right(db: &Db, queue: &SharedQueue, clock: &Clock) -> anyhow::Result<()> {
    if !within(PATIENCE, db::letters::are_wrong(db)).await?? {
        return Ok(());
    }
    let (owner, now) = (Uuid::now_v7(), clock.now());
    if !within(PATIENCE, db::locks::take(db, &[LOCK.to_owned()], owner, now, now + HELD)).await?? {
        return Ok(());
    }
    // A queue in trouble holds up no other.
    let work = async { take_away(db, queue).await.and(bury(db, queue, clock).await) };
    let done = timeout(HELD, work).await;
    within(PATIENCE, db::locks::release(db, owner)).await??;
    done?
}

async fn take_away(db: &Db, queue: &SharedQueue) -> anyhow::Result<()> {
    let mut by_queue: BTreeMap<QueueName, Vec<JobId>> = BTreeMap::new();
    for (job, name) in within(PATIENCE, db::letters::outlived(db)).await?? {
        by_queue.entry(name).or_default().push(job);
    }
    let mut done = Ok(());
    for (name, jobs) in by_queue {
        match queue.unbury(&name, &jobs).await {
            Ok(_) => within(PATIENCE, db::letters::note(db, &jobs, None)).await??,
            Err(error) => done = Err(error.into()),
        }
    }
    done
}

async fn bury(db: &Db, queue: &SharedQueue, clock: &Clock) -> anyhow::Result<()> {
    let (mut buried, mut troubled, mut done) = (Vec::new(), BTreeSet::new(), Ok(()));
    for letter in within(PATIENCE, db::letters::unburied(db, BATCH)).await?? {
        if troubled.contains(&letter.queue) {
            continue;
        }
        match queue.bury(&letter).await {
            Ok(()) => buried.push(letter.job),
            Err(error) => {
                done = Err(error.into());
                if !queue.connected() {
                    break;
                }
                troubled.insert(letter.queue);
            }
        }
    }
    within(PATIENCE, db::letters::note(db, &buried, Some(clock.now()))).await??;
    done
}
