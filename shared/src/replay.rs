//! Replay has one meaning, from the CLI, the console or a shovelled queue: the job becomes due again with fresh attempts, and
//! its dead letter goes away.

use std::collections::BTreeMap;

use anyhow::Context;

pub use crate::db::jobs::Which;
use crate::{
    clock::Clock,
    db::{self, Db},
    domain::{JobId, QueueName},
    queue::{SharedQueue, Wakeup},
};

/// Replays dead jobs; returns how many. The broker may be away: then the rows are due, the dispatcher publishes them later, and
/// the letters stay until somebody purges them.
///
/// # Errors
/// When the database is away; then nothing was replayed.
pub async fn replay(db: &Db, queue: &SharedQueue, clock: &Clock, which: &Which) -> anyhow::Result<usize> {
    let replayed = db::jobs::replay(db, which, clock.now()).await.context("cannot replay")?;
    let count = replayed.len();
    let mut by_queue: BTreeMap<QueueName, Vec<JobId>> = BTreeMap::new();
    for (job, name) in replayed {
        by_queue.entry(name).or_default().push(job);
    }
    for (name, jobs) in by_queue {
        match queue.unbury(&name, &jobs).await {
            Ok(_) => {}
            Err(error) => tracing::warn!(queue = %name, %error, "replayed, but the dead letters are still there"),
        }
        for job in jobs {
            let wakeup = Wakeup::new(job, name.clone(), None);
            if let Err(error) = queue.publish(&wakeup).await {
                tracing::debug!(job.id = %job, %error, "left to the dispatcher");
                break;
            }
        }
    }
    Ok(count)
}
