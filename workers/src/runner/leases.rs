//! Leases of what runs: renewed three times in their length; whoever lost one stops at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    db::{self, outage},
    domain::{Job, JobId},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::work::Worker;

/// Between two tries to renew while the database is away; well below the time that the dispatcher leaves after an outage.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

type Held = HashMap<(JobId, i32), CancellationToken>;

/// What this process runs.
#[derive(Default)]
pub(super) struct Leases(Arc<Mutex<Held>>);

/// Held as long as the job runs.
pub(super) struct Lease {
    key: (JobId, i32),
    lost: CancellationToken,
    held: Arc<Mutex<Held>>,
}

impl Leases {
    pub(super) fn enter(&self, job: &Job) -> Lease {
        let lease = Lease { key: (job.id, job.claims), lost: CancellationToken::new(), held: self.0.clone() };
        lock(&self.0).insert(lease.key, lease.lost.clone());
        lease
    }

    fn running(&self) -> Held {
        lock(&self.0).clone()
    }
}

impl Lease {
    /// Ends when somebody else has the job.
    pub(super) fn lost(&self) -> WaitForCancellationFuture<'_> {
        self.lost.cancelled()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.key);
    }
}

fn lock(held: &Mutex<Held>) -> std::sync::MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Renews until `stop` is cancelled.
pub(super) async fn keep(worker: Arc<Worker>, stop: CancellationToken) {
    let lease = worker.tuning.lease;
    let mut pause = lease / 3;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = lease / 3;
        // Taken before asking, so that what is claimed meanwhile is not mistaken for lost.
        let running = worker.leases.running();
        if running.is_empty() {
            continue;
        }
        let ids: Vec<JobId> = running.keys().map(|(id, _)| *id).collect();
        let renewing = db::jobs::renew(&worker.db, worker.owner, &ids, worker.clock.now() + lease);
        match outage::within(outage::PATIENCE.min(lease / 3), renewing).await.flatten() {
            Ok(held) => {
                for (_, lost) in running.iter().filter(|(key, _)| !held.contains(key)) {
                    lost.cancel();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot renew leases: the database is away");
                // Once it is back, leases that ran out meanwhile are soon taken.
                pause = pause.min(AFTER_FAILURE);
            }
        }
    }
}
