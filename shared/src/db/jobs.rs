//! Jobs: adding, claiming, finding those that are due, replaying. How they end is in [`super::settle`].

mod claim;
mod due;

use chrono::{DateTime, Utc};
pub use claim::{claim, release_all, renew};
pub use due::{
    Due, Lost, QueueStats, due, early, expire, next_due, note_published, published, put_off, republish, republish_lost,
    stats,
};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Db, Tx, pieces};
use crate::domain::{CallId, JobId, JobState, NewJob, QueueName, Wake};

/// Adds jobs in the caller's transaction; those that exist stay as they are or are woken, as they say. Returns the ones
/// that now wait for a worker, for the caller to publish after the commit.
///
/// # Errors
/// When the database is away.
pub async fn add(
    tx: &mut Tx,
    batch: &[(NewJob, Option<String>)],
    now: DateTime<Utc>,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<Vec<(JobId, QueueName)>> {
    // In the order of their ids, so that two transactions that wake the same jobs cannot wait for each other; and each once,
    // as a statement cannot touch a row twice. Waking wins over not waking.
    let mut batch: Vec<_> = batch.iter().collect();
    batch.sort_by_key(|(job, _)| (job.id, std::cmp::Reverse(job.wake)));
    batch.dedup_by_key(|(job, _)| job.id);
    let mut waiting = Vec::with_capacity(batch.len());
    for piece in pieces(&batch) {
        let rows = add_piece(tx, piece, now, publish_at).await?;
        let waits = rows.into_iter().filter(|(_, _, state)| state == JobState::Waiting.as_str());
        waiting.extend(waits.map(|(id, queue, _)| (JobId(id), QueueName::from(queue))));
    }
    Ok(waiting)
}

async fn add_piece(
    tx: &mut Tx,
    piece: &[&(NewJob, Option<String>)],
    now: DateTime<Utc>,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<Vec<(Uuid, String, String)>> {
    let woken: Vec<_> = piece.iter().filter(|(job, _)| job.wake == Wake::Yes).map(|(job, _)| job.id.0).collect();
    within!(tx, c => {
        let mut query = QueryBuilder::new(
            "insert into jobs (id, step, queue, call_id, event_id, sink, state, due_at, publish_at, attempt, claims,
             snoozes, again, traceparent, created_at) ",
        );
        query.push_values(piece, |mut row, (job, traceparent)| {
            row.push_bind(job.id.0).push_bind(job.step.as_str()).push_bind(job.queue().as_str().to_owned());
            row.push_bind(job.call_id.map(|id| id.0)).push_bind(job.event_id.map(|id| id.0));
            row.push_bind(job.sink.as_ref().map(|s| s.as_str().to_owned())).push("'waiting'");
            row.push_bind(now).push_bind(publish_at).push("0, 0, 0, false").push_bind(traceparent.clone());
            row.push_bind(now);
        });
        query.push(if woken.is_empty() { " on conflict (id) do nothing" } else { WAKE });
        if !woken.is_empty() && woken.len() < piece.len() {
            query.push(" where jobs.id in (");
            let mut list = query.separated(", ");
            for id in &woken {
                list.push_bind(*id);
            }
            query.push(")");
        }
        query.push(" returning id, queue, state").build_query_as().fetch_all(c).await
    })
}

/// Locks those of these jobs that exist, in the order of their ids: who will change several of them in several statements
/// does this first, so that two transactions cannot wait for each other. SQLite has one writer anyway.
pub(super) async fn lock(tx: &mut Tx, ids: &[Uuid]) -> sqlx::Result<()> {
    if let Tx::Postgres(tx) = tx {
        let sql = "select id from jobs where id = any($1) order by id for no key update";
        sqlx::query(sql).bind(ids).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Locks all jobs of these calls, likewise.
pub(super) async fn lock_of_calls(tx: &mut Tx, calls: &[CallId]) -> sqlx::Result<()> {
    if let Tx::Postgres(tx) = tx {
        let sql = "select id from jobs where call_id = any($1) order by id for no key update";
        let calls: Vec<Uuid> = calls.iter().map(|id| id.0).collect();
        sqlx::query(sql).bind(calls).execute(&mut **tx).await?;
    }
    Ok(())
}

const WAKE: &str = " on conflict (id) do update set
    state = case when jobs.state = 'running' then jobs.state else 'waiting' end,
    again = jobs.state = 'running',
    publish_at = case when jobs.state = 'running' then jobs.publish_at else excluded.publish_at end,
    due_at = case when jobs.state = 'running' then jobs.due_at else excluded.due_at end,
    attempt = case when jobs.state = 'running' then jobs.attempt else 0 end,
    snoozes = case when jobs.state = 'running' then jobs.snoozes else 0 end,
    reason = case when jobs.state in ('waiting', 'running') then jobs.reason else null end,
    error = case when jobs.state in ('waiting', 'running') then jobs.error else null end,
    finished_at = null";

/// Where a job stands, and the attempts it has had.
///
/// # Errors
/// When the database is away.
pub async fn state(db: &Db, id: JobId) -> sqlx::Result<Option<(String, i32)>> {
    let sql = "select state, attempt from jobs where id = $1";
    on!(db, c => sqlx::query_as(sql).bind(id.0).fetch_optional(c).await)
}

/// How many jobs wait or run; none when all work is done (or dead).
///
/// # Errors
/// When the database is away.
pub async fn unfinished(db: &Db) -> sqlx::Result<i64> {
    let sql = "select (select count(*) from jobs where state = 'waiting') + (select count(*) from jobs where state = 'running')";
    on!(db, c => sqlx::query_scalar(sql).fetch_one(c).await)
}

/// Which jobs a replay is about.
#[derive(Debug, Clone)]
pub enum Which {
    /// These, whatever their step, as far as they are dead (or skipped).
    Jobs(Vec<JobId>),
    /// The dead jobs of a call, and those that had nothing to do because something was switched off.
    Call(CallId),
    /// Dead jobs, oldest first; with the reason that something was switched off, those that had nothing to do then.
    Dead {
        /// Of one queue only.
        queue: Option<QueueName>,
        /// With one reason only.
        reason: Option<String>,
        /// At most so many.
        limit: i64,
    },
}

/// Reasons of jobs that had nothing to do, and would have something once a setting is there.
pub const SWITCHED_OFF: [&str; 3] = ["no-speech-server", "no-model", "sink-not-configured"];

/// The state of jobs that are replayed by this reason.
pub(super) fn replayed_from(reason: Option<&str>) -> &'static str {
    if reason.is_some_and(|reason| SWITCHED_OFF.contains(&reason)) { "skipped" } else { "dead" }
}

/// Makes dead jobs due again with fresh attempts. Returns which.
///
/// # Errors
/// When the database is away.
pub async fn replay(db: &Db, which: &Which, now: DateTime<Utc>) -> sqlx::Result<Vec<(JobId, QueueName)>> {
    let rows: Vec<(Uuid, String)> = on!(db, c => {
        let mut query = QueryBuilder::new("update jobs set state = 'waiting', attempt = 0, snoozes = 0, finished_at = null, due_at = ");
        query.push_bind(now).push(", publish_at = ").push_bind(now).push(" where ");
        match which {
            Which::Jobs(ids) => {
                query.push("state in ('dead', 'skipped') and id in (");
                let mut list = query.separated(", ");
                for id in ids {
                    list.push_bind(id.0);
                }
                query.push(if ids.is_empty() { "null)" } else { ")" });
            }
            Which::Call(call) => {
                query.push("call_id = ").push_bind(call.0).push(" and (state = 'dead' or (state = 'skipped' and reason in (");
                let mut list = query.separated(", ");
                for reason in SWITCHED_OFF {
                    list.push_bind(reason);
                }
                query.push(")))");
            }
            Which::Dead { queue, reason, limit } => {
                // Said twice: somebody else may replay it between the choice and the change.
                let state = replayed_from(reason.as_deref());
                query.push("state = ").push_bind(state).push(" and id in (select id from jobs where state = ").push_bind(state);
                if let Some(queue) = queue {
                    query.push(" and queue = ").push_bind(queue.as_str().to_owned());
                }
                if let Some(reason) = reason {
                    query.push(" and reason = ").push_bind(reason.clone());
                }
                query.push(" order by finished_at limit ").push_bind(*limit).push(")");
            }
        }
        query.push(" returning id, queue");
        query.build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(id, queue)| (JobId(id), QueueName::from(queue))).collect())
}
