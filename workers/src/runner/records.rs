//! Claims and settlements on their way to the database: those that wait at the same moment share a statement and a commit.

use std::{collections::HashMap, time::Duration};

use shared::{
    batch::Batcher,
    clock::Clock,
    db::{
        self, Db, outage,
        settle::{End, Settlement},
    },
    domain::{Job, JobId},
    publisher::{GRACE, Publisher},
    service::App,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Jobs in one statement.
const MOST: usize = 64;
/// Statements under way at the same time.
const FLIGHTS: usize = 2;
/// Between two tries to settle while the database is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Our own database is away, or behind by the clock of whoever published: the message must come again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Away;

pub(super) struct Records {
    claims: Batcher<JobId, Result<Option<Job>, Away>>,
    settlements: Batcher<Settlement, Result<bool, Settlement>>,
    clock: Clock,
}

#[derive(Clone)]
struct Books {
    db: Db,
    clock: Clock,
    owner: Uuid,
    lease: Duration,
    publisher: Publisher,
}

impl Records {
    pub(super) fn start(app: &App, publisher: Publisher, owner: Uuid, lease: Duration) -> Self {
        let books = Books { db: app.db.clone(), clock: app.clock.clone(), owner, lease, publisher };
        let claiming = books.clone();
        Self {
            clock: app.clock.clone(),
            claims: Batcher::start(MOST, FLIGHTS, move |ids| claim(claiming.clone(), ids)),
            settlements: Batcher::start(MOST, FLIGHTS, move |batch| settle(books.clone(), batch)),
        }
    }

    /// The job, if it is due and nobody has it.
    pub(super) async fn claim(&self, id: JobId) -> Result<Option<Job>, Away> {
        self.claims.submit(id).await.unwrap_or(Err(Away))
    }

    /// Writes the end of a try; waits for the database until told to give up, as results may have been paid for. False when
    /// the lease was lost meanwhile, so that nothing was written.
    pub(super) async fn settle(&self, mut settlement: Settlement, give_up: &CancellationToken) -> bool {
        loop {
            match self.settlements.submit(settlement).await {
                Some(Ok(held)) => {
                    if !held {
                        tracing::warn!("lost its lease before it could be settled");
                    }
                    return held;
                }
                Some(Err(back)) => settlement = back,
                None => return false,
            }
            if give_up.is_cancelled() {
                tracing::warn!("the database is away: the job comes back when its lease ends");
                return false;
            }
            if let End::Again { due_at, .. } = &mut settlement.end {
                *due_at = (*due_at).max(self.clock.now());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn claim(books: Books, mut ids: Vec<JobId>) -> Vec<Result<Option<Job>, Away>> {
    let asked = ids.clone();
    ids.sort();
    ids.dedup();
    let now = books.clock.now();
    let taking = async {
        let jobs = db::jobs::claim(&books.db, &ids, books.owner, now, now + books.lease).await?;
        let missed: Vec<JobId> = ids.iter().filter(|id| jobs.iter().all(|job| job.id != **id)).copied().collect();
        let early = if missed.is_empty() { missed } else { db::jobs::early(&books.db, &missed, now).await? };
        Ok((jobs, early))
    };
    let (jobs, early) = match outage::within(outage::PATIENCE, taking).await.flatten() {
        Ok(taken) => taken,
        Err(error) => {
            tracing::warn!(%error, "cannot claim jobs: the database is away");
            return asked.iter().map(|_| Err(Away)).collect();
        }
    };
    let mut claimed: HashMap<JobId, Job> = jobs.into_iter().map(|job| (job.id, job)).collect();
    // The same job twice in one batch (a duplicate message): the first has it. The message of one that is early goes back.
    asked.iter().map(|id| if early.contains(id) { Err(Away) } else { Ok(claimed.remove(id)) }).collect()
}

async fn settle(books: Books, batch: Vec<Settlement>) -> Vec<Result<bool, Settlement>> {
    match write(&books, &batch).await {
        Ok(held) => held.into_iter().map(Ok).collect(),
        Err(error) if !outage::is_away(&error) => {
            // One of them cannot be written: each for itself.
            let mut results = Vec::with_capacity(batch.len());
            for settlement in batch {
                results.push(alone(&books, settlement).await);
            }
            results
        }
        Err(error) => {
            tracing::warn!(%error, jobs = batch.len(), "cannot settle: the database is away");
            batch.into_iter().map(Err).collect()
        }
    }
}

/// A settlement that the database refuses as it is (not because it is away) becomes a failed try without results.
async fn alone(books: &Books, mut settlement: Settlement) -> Result<bool, Settlement> {
    let refused = match write(books, std::slice::from_ref(&settlement)).await {
        Ok(held) => return Ok(held.first().copied().unwrap_or(false)),
        Err(error) if !outage::is_away(&error) => error,
        Err(_) => return Err(settlement),
    };
    tracing::error!(job.id = %settlement.job.id, error = %refused, "the database refuses this result");
    let error = "the database refuses this result".to_owned();
    let reason = "cannot-record".into();
    settlement.end = match crate::schedule::delay(settlement.job.attempt, 1.0, 0.0) {
        Some(delay) => End::Again { due_at: books.clock.now() + delay, counts: true, verdict: "retry", reason, error },
        None => End::Dead { reason, error },
    };
    settlement.writes.clear();
    settlement.next.clear();
    match write(books, std::slice::from_ref(&settlement)).await {
        Ok(held) => Ok(held.first().copied().unwrap_or(false)),
        Err(_) => Err(settlement),
    }
}

async fn write(books: &Books, batch: &[Settlement]) -> Result<Vec<bool>, shared::db::Error> {
    let now = books.clock.now();
    let publish_at = now + GRACE;
    let settling = db::settle::settle(&books.db, books.owner, batch, now, publish_at);
    let settled = outage::within(outage::PATIENCE, settling).await.flatten()?;
    let traces: HashMap<_, _> =
        batch.iter().flat_map(|s| s.next.iter().map(|next| (next.id, s.job.traceparent.clone()))).collect();
    for (job, queue) in settled.waiting {
        let traceparent = traces.get(&job).cloned().flatten();
        books.publisher.publish(job, queue, traceparent, publish_at);
    }
    Ok(batch.iter().map(|s| settled.held.contains(&s.job.id)).collect())
}
