//! What the dispatcher asks: which jobs are to be published, which leases ran out, which messages were lost.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};
use uuid::Uuid;

use super::super::{Db, PushIds, Tx};
use crate::domain::{JobId, QueueName};

/// A job that is to be published now.
#[derive(Debug, Clone)]
pub struct Due {
    /// Which.
    pub id: JobId,
    /// Where to.
    pub queue: QueueName,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// A job whose worker vanished too often.
#[derive(Debug, Clone)]
pub struct Lost {
    /// Which.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Tries that were made.
    pub attempts: i32,
}

/// Takes up to `limit` jobs that are due and not published, and locks them for this transaction, so that dispatchers in other
/// processes take others.
///
/// # Errors
/// When the database is away.
pub async fn due(db: &Db, tx: &mut Tx, limit: i64, now: DateTime<Utc>) -> sqlx::Result<Vec<Due>> {
    let sql = format!(
        "select id, queue, traceparent from jobs where publish_at <= $1 order by publish_at limit $2{}",
        db.skip_locked()
    );
    let rows: Vec<(Uuid, String, Option<String>)> =
        within!(tx, c => sqlx::query_as(AssertSqlSafe(sql)).bind(now).bind(limit).fetch_all(c).await)?;
    let due = |(id, queue, traceparent)| Due { id: JobId(id), queue: QueueName::from(queue), traceparent };
    Ok(rows.into_iter().map(due).collect())
}

/// When the next job is to be published.
///
/// # Errors
/// When the database is away.
pub async fn next_due(db: &Db) -> sqlx::Result<Option<DateTime<Utc>>> {
    let sql = "select publish_at from jobs where publish_at is not null order by publish_at limit 1";
    on!(db, c => sqlx::query_scalar(sql).fetch_optional(c).await)
}

/// Notes that messages are under way for these jobs, which this transaction has locked.
///
/// # Errors
/// When the database is away.
pub async fn published(tx: &mut Tx, ids: &[JobId]) -> sqlx::Result<()> {
    publish_at(tx, ids, None).await
}

/// Has these jobs, which this transaction has locked, published at another time; they stay due.
///
/// # Errors
/// When the database is away.
pub async fn put_off(tx: &mut Tx, ids: &[JobId], until: DateTime<Utc>) -> sqlx::Result<()> {
    publish_at(tx, ids, Some(until)).await
}

async fn publish_at(tx: &mut Tx, ids: &[JobId], at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    within!(tx, c => {
        let mut query = QueryBuilder::new("update jobs set publish_at = ");
        query.push_bind(at).push(" where id").push_ids(ids);
        query.build().execute(c).await.map(drop)
    })
}

/// Notes that messages are under way for jobs that were to be published at these times, should nobody have done it before. What
/// was claimed or woken meanwhile is left alone; and so is what somebody else changes right now, which at worst is published
/// once more.
///
/// # Errors
/// When the database is away.
pub async fn note_published(db: &Db, jobs: &[(JobId, DateTime<Utc>)]) -> sqlx::Result<()> {
    on!(db, c => {
        // As in [`super::claim`]: not to be answered from the index of what is to be published.
        let mut query = QueryBuilder::new("update jobs set publish_at = null where id in (select id from jobs
            where case when publish_at is null then false else (id, publish_at) in (");
        query.push_values(jobs, |mut row, (id, publish_at)| {
            row.push_bind(id.0).push_bind(*publish_at);
        });
        let ids: Vec<JobId> = jobs.iter().map(|(id, _)| *id).collect();
        query.push(") end and id").push_ids(&ids).push(db.skip_locked()).push(")");
        query.build().execute(c).await.map(drop)
    })
}

/// Those of these jobs whose time has not come and that no other message will wake. Whose clock is behind the publisher's must
/// keep theirs.
///
/// # Errors
/// When the database is away.
pub async fn early(db: &Db, ids: &[JobId], now: DateTime<Utc>) -> sqlx::Result<Vec<JobId>> {
    let rows: Vec<Uuid> = on!(db, c => {
        let mut query = QueryBuilder::new("select id from jobs where case when state = 'waiting' then publish_at is null and due_at > ");
        query.push_bind(now).push(" else false end and id").push_ids(ids);
        query.build_query_scalar().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(JobId).collect())
}

/// Makes every waiting job of a queue be published again, as its messages are gone.
///
/// # Errors
/// When the database is away.
pub async fn republish(db: &Db, queue: &QueueName) -> sqlx::Result<u64> {
    let sql = format!("{REPUBLISH}{})", db.skip_locked());
    on!(db, c => {
        sqlx::query(AssertSqlSafe(sql)).bind(queue.as_str()).execute(c).await.map(|done| done.rows_affected())
    })
}

/// What somebody else has locked is left for the next time: nobody may hold up all queues.
const REPUBLISH: &str = "update jobs set publish_at = due_at where id in (select id from jobs
    where queue = $1 and state = 'waiting' and publish_at is null";

/// Makes the jobs of a queue be published again that were due before `before` and still wait with a message under way.
///
/// # Errors
/// When the database is away.
pub async fn republish_lost(db: &Db, queue: &QueueName, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let sql = format!("{REPUBLISH} and due_at < $2{})", db.skip_locked());
    on!(db, c => {
        let query = sqlx::query(AssertSqlSafe(sql)).bind(queue.as_str()).bind(before);
        query.execute(c).await.map(|done| done.rows_affected())
    })
}

/// Takes jobs from workers whose lease ran out: due again (with fresh attempts if there was news), or dead when they have had
/// `max_attempts` tries. Returns the dead ones.
///
/// # Errors
/// When the database is away.
pub async fn expire(db: &Db, max_attempts: i32, now: DateTime<Utc>) -> sqlx::Result<(u64, Vec<Lost>)> {
    let dead = "update jobs set state = 'dead', owner = null, lease_until = null, again = false, finished_at = $1,
        reason = 'worker-lost', error = 'the worker vanished in the middle, again and again'
        where state = 'running' and lease_until < $1 and attempt >= $2 and not again returning id, queue, attempt";
    let rows: Vec<(Uuid, String, i32)> =
        on!(db, c => sqlx::query_as(dead).bind(now).bind(max_attempts).fetch_all(c).await)?;
    let back = "update jobs set state = 'waiting', owner = null, lease_until = null, again = false, due_at = $1,
        attempt = case when again then 0 else attempt end, publish_at = $1, reason = 'worker-lost' where state = 'running' and lease_until < $1";
    let back = on!(db, c => sqlx::query(back).bind(now).execute(c).await.map(|done| done.rows_affected()))?;
    let lost = |(id, queue, attempts)| Lost { id: JobId(id), queue: QueueName::from(queue), attempts };
    Ok((back, rows.into_iter().map(lost).collect()))
}

/// How a queue's jobs stand.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct QueueStats {
    /// The queue.
    pub queue: String,
    /// Jobs that wait, due or not.
    pub waiting: i64,
    /// When the longest-waiting due job became due.
    pub oldest_due: Option<DateTime<Utc>>,
    /// Jobs that failed for good.
    pub dead: i64,
}

/// How every queue's jobs stand; for metrics.
///
/// # Errors
/// When the database is away.
pub async fn stats(db: &Db, now: DateTime<Utc>) -> sqlx::Result<Vec<QueueStats>> {
    let sql = "select queue, cast(sum(waiting) as bigint) as waiting, min(oldest_due) as oldest_due,
        cast(sum(dead) as bigint) as dead from (
            select queue, count(*) as waiting, min(case when due_at <= $1 then due_at end) as oldest_due, 0 as dead
            from jobs where state = 'waiting' group by queue
            union all
            select queue, 0, null, count(*) from jobs where state = 'dead' group by queue
        ) as counted group by queue";
    on!(db, c => sqlx::query_as(sql).bind(now).fetch_all(c).await)
}
