//! Dead letters: for each dead job one on `<queue>.dead`, for operators to see and to shovel back. The rows say which there must
//! be, as they do for wake-ups, so that a broker that was away, or lost everything, has the right ones again.

use std::{collections::BTreeMap, time::Duration};

use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{
        self, Db,
        outage::{PATIENCE, within},
    },
    domain::{JobId, QueueName},
    queue::{QueueError, SharedQueue},
};

/// Letters in one go.
const BATCH: i64 = 100;
/// The name under which one process at a time does it: two that take letters away would hide them from each other.
const LOCK: &str = "dead-letters";
/// For one go. The broker answers each question within seconds, or not at all.
const HELD: Duration = Duration::from_secs(60);

/// Brings the dead-letter queues to what the rows say, unless another process does.
///
/// # Errors
/// When the database or the broker is away; the next time goes on from there.
pub async fn put_right(db: &Db, queue: &SharedQueue, clock: &Clock) -> anyhow::Result<()> {
    if !within(PATIENCE, needed(db)).await?? {
        return Ok(());
    }
    let (owner, now) = (Uuid::now_v7(), clock.now());
    if !within(PATIENCE, db::locks::take(db, &[LOCK.to_owned()], owner, now, now + HELD)).await?? {
        return Ok(());
    }
    let work = async {
        take_away(db, queue).await?;
        bury(db, queue, clock).await
    };
    let done = within(HELD, work).await?;
    within(PATIENCE, db::locks::release(db, owner)).await??;
    done
}

async fn needed(db: &Db) -> anyhow::Result<bool> {
    Ok(!db::letters::unburied(db, 1).await?.is_empty() || !db::letters::outlived(db, 1).await?.is_empty())
}

async fn bury(db: &Db, queue: &SharedQueue, clock: &Clock) -> anyhow::Result<()> {
    let (mut buried, mut trouble) = (Vec::new(), None);
    for letter in db::letters::unburied(db, BATCH).await? {
        match queue.bury(&letter).await {
            Ok(()) => buried.push(letter.job),
            Err(error) => {
                let away = matches!(error, QueueError::Unreachable(_));
                trouble = Some(error);
                if away {
                    break;
                }
            }
        }
    }
    db::letters::note(db, &buried, Some(clock.now())).await?;
    trouble.map_or(Ok(()), |error| Err(error.into()))
}

async fn take_away(db: &Db, queue: &SharedQueue) -> anyhow::Result<()> {
    let mut by_queue: BTreeMap<QueueName, Vec<JobId>> = BTreeMap::new();
    for (job, name) in db::letters::outlived(db, BATCH).await? {
        by_queue.entry(name).or_default().push(job);
    }
    for (name, jobs) in by_queue {
        queue.unbury(&name, &jobs).await?;
        db::letters::note(db, &jobs, None).await?;
    }
    Ok(())
}
