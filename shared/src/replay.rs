//! Replay has one meaning, from the CLI, the console or a shovelled queue: the job becomes due again with fresh attempts, and
//! its dead letter goes away ([`crate::letters`]).

use anyhow::Context;

pub use crate::db::jobs::Which;
use crate::{
    clock::Clock,
    db::{self, Db},
    queue::{SharedQueue, Wakeup},
};

/// Replays dead jobs; returns how many. The broker may be away: then the rows are due, and the dispatcher publishes them later.
///
/// # Errors
/// When the database is away; then nothing was replayed.
pub async fn replay(db: &Db, queue: &SharedQueue, clock: &Clock, which: &Which) -> anyhow::Result<usize> {
    let replayed = db::jobs::replay(db, which, clock.now()).await.context("cannot replay")?;
    let count = replayed.len();
    for (job, name) in replayed {
        if let Err(error) = queue.publish(&Wakeup::new(job, name, None)).await {
            tracing::debug!(job.id = %job, %error, "left to the dispatcher");
            break;
        }
    }
    Ok(count)
}
