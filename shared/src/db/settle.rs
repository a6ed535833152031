//! The end of a try: the results, what is due next, and the job's new state, in one transaction. Several tries share one
//! transaction, as they come.
//!
//! A worker whose lease ran out has lost its job: nothing of its settlement is written.

mod merged;
mod results;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Db, Tx, jobs};
use crate::domain::{Job, JobId, NewJob, QueueName, Reason, Write};

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Finished; with the reason where there was nothing to do.
    Done {
        /// Kept on the job.
        skipped: Option<Reason>,
    },
    /// Due again.
    Again {
        /// When.
        due_at: DateTime<Utc>,
        /// Whether the try counts as an attempt (retry) or not (snooze, drain).
        counts: bool,
        /// `retry`, `snooze`, `drain`.
        verdict: &'static str,
        /// Stable code.
        reason: Reason,
        /// What happened.
        error: String,
    },
    /// Failed for good.
    Dead {
        /// Stable code.
        reason: Reason,
        /// What happened.
        error: String,
    },
}

/// A try that ended.
#[derive(Debug)]
pub struct Settlement {
    /// The job as it was claimed.
    pub job: Job,
    /// How it ended.
    pub end: End,
    /// Its results, also what was achieved before a failure.
    pub writes: Vec<Write>,
    /// What is due now.
    pub next: Vec<NewJob>,
}

/// What settling led to.
#[derive(Debug, Default)]
pub struct Settled {
    /// Jobs whose settlement was written; the others were lost to another worker.
    pub held: HashSet<JobId>,
    /// Jobs that now wait for a worker: to be published, after which [`jobs::published`] may be told.
    pub waiting: Vec<(JobId, QueueName)>,
}

/// Writes the ends of tries, all or nothing.
///
/// # Errors
/// When it cannot be committed. Nothing was written then (or, connection lost, that is unknown; settling again is harmless).
pub async fn settle(
    db: &Db,
    owner: Uuid,
    batch: &[Settlement],
    now: DateTime<Utc>,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<Settled> {
    let mut tx = db.begin().await?;
    let touched = merged::due(&mut tx, batch).await?.into_iter().chain(batch.iter().map(|s| s.job.id));
    jobs::lock(&mut tx, &touched.map(|id| id.0).collect::<Vec<_>>()).await?;
    let held = end_all(&mut tx, owner, batch, now).await?;
    let mine: Vec<&Settlement> = batch.iter().filter(|s| held.contains(&s.job.id)).collect();
    results::write(&mut tx, &mine, now).await?;
    failures(&mut tx, &mine, now).await?;
    let next = merged::next(&mut tx, &mine).await?;
    let waiting = jobs::add(&mut tx, &next, now, publish_at).await?;
    tx.commit().await?;
    Ok(Settled { held, waiting })
}

async fn end_all(tx: &mut Tx, owner: Uuid, batch: &[Settlement], now: DateTime<Utc>) -> sqlx::Result<HashSet<JobId>> {
    let is_done = |s: &&Settlement| s.end == End::Done { skipped: None };
    let mut done: Vec<&Settlement> = batch.iter().filter(is_done).collect();
    done.sort_by_key(|s| s.job.id);
    let mut held = HashSet::new();
    if !done.is_empty() {
        let rows: Vec<Uuid> = within!(tx, c => {
            let mut query = QueryBuilder::new(DONE);
            query.push_bind(now).push(DONE_AGAIN).push_bind(now).push(DONE_DUE).push_bind(now).push(DONE_WHERE);
            query.push_bind(owner).push(" and state = 'running' and (id, claims) in (");
            query.push_values(&done, |mut row, s| {
                row.push_bind(s.job.id.0).push_bind(s.job.claims);
            });
            query.push(") returning id");
            query.build_query_scalar().fetch_all(c).await
        })?;
        held.extend(rows.into_iter().map(JobId));
    }
    for settlement in batch.iter().filter(|s| !is_done(s)) {
        if end_one(tx, owner, settlement, now).await? {
            held.insert(settlement.job.id);
        }
    }
    Ok(held)
}

const DONE: &str =
    "update jobs set owner = null, lease_until = null, snoozes = 0, again = false, reason = null, error = null,
    state = case when again then 'waiting' else 'done' end,
    attempt = case when again then 0 else attempt end,
    finished_at = ";
const DONE_AGAIN: &str = ", publish_at = case when again then ";
const DONE_DUE: &str = " end, due_at = case when again then ";
const DONE_WHERE: &str = " else due_at end where owner = ";

async fn end_one(tx: &mut Tx, owner: Uuid, settlement: &Settlement, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let job = &settlement.job;
    let (state, due_at, attempt, snoozes, reason, error) = match &settlement.end {
        End::Done { skipped } => ("skipped", None, job.attempt, 0, skipped.as_deref(), None),
        End::Again { due_at, counts: true, reason, error, .. } => {
            ("waiting", Some(*due_at), job.attempt, job.snoozes, Some(reason.as_ref()), Some(error.as_str()))
        }
        End::Again { due_at, reason, error, .. } => {
            let error = Some(error.as_str());
            ("waiting", Some(*due_at), job.attempt - 1, job.snoozes + 1, Some(reason.as_ref()), error)
        }
        End::Dead { reason, error } => ("dead", None, job.attempt, 0, Some(reason.as_ref()), Some(error.as_str())),
    };
    // News that came while it ran makes it due at once, with fresh attempts, however this try ended.
    let sql = "update jobs set owner = null, lease_until = null, again = false,
        state = case when again then 'waiting' else $4 end,
        due_at = case when again then $5 else coalesce($6, due_at) end,
        publish_at = case when again then $5 else $6 end,
        attempt = case when again then 0 else $7 end,
        snoozes = case when again then 0 else $8 end,
        reason = $9, error = $10,
        finished_at = case when $6 is null and not again then $5 end
        where id = $1 and claims = $2 and owner = $3 and state = 'running'";
    let changed = within!(tx, c => {
        let query = sqlx::query(sql).bind(job.id.0).bind(job.claims).bind(owner).bind(state).bind(now).bind(due_at);
        let query = query.bind(attempt).bind(snoozes).bind(reason).bind(error);
        query.execute(c).await.map(|done| done.rows_affected())
    })?;
    Ok(changed == 1)
}

async fn failures(tx: &mut Tx, batch: &[&Settlement], now: DateTime<Utc>) -> sqlx::Result<()> {
    for settlement in batch {
        let (verdict, reason, error) = match &settlement.end {
            End::Again { counts: true, verdict, reason, error, .. } => (*verdict, reason, error),
            End::Dead { reason, error } => ("fail", reason, error),
            // Snoozes may be many and say little; the job's row holds the last one.
            End::Done { .. } | End::Again { .. } => continue,
        };
        let sql = "insert into failures (job_id, claim, at, verdict, reason, error) values ($1, $2, $3, $4, $5, $6)
            on conflict (job_id, claim) do nothing";
        let job = &settlement.job;
        within!(tx, c => {
            let query = sqlx::query(sql).bind(job.id.0).bind(job.claims).bind(now).bind(verdict);
            query.bind(reason.as_ref()).bind(error.as_str()).execute(c).await.map(drop)
        })?;
    }
    Ok(())
}
