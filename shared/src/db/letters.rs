//! Which dead letters lie on the broker, as the jobs' rows say.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Db, PushIds};
use crate::{
    domain::{JobId, QueueName},
    queue::DeadLetter,
};

/// Whether a letter is missing, or lies there that should not.
///
/// # Errors
/// When the database is away.
pub async fn are_wrong(db: &Db) -> sqlx::Result<bool> {
    let sql = "select exists (select 1 from jobs where state = 'dead' and buried_at is null)
        or exists (select 1 from jobs where buried_at is not null and state <> 'dead')";
    on!(db, c => sqlx::query_scalar(sql).fetch_one(c).await)
}

/// Letters of dead jobs that are not on their queue, the oldest first.
///
/// # Errors
/// When the database is away.
pub async fn unburied(db: &Db, limit: i64) -> sqlx::Result<Vec<DeadLetter>> {
    let sql = "select id, queue, coalesce(reason, ''), coalesce(error, ''), attempt from jobs
        where state = 'dead' and buried_at is null order by finished_at limit $1";
    let rows: Vec<(Uuid, String, String, String, i32)> =
        on!(db, c => sqlx::query_as(sql).bind(limit).fetch_all(c).await)?;
    let letter = |(id, queue, reason, error, attempts)| DeadLetter {
        job: JobId(id),
        queue: QueueName::from(queue),
        reason,
        error,
        attempts,
    };
    Ok(rows.into_iter().map(letter).collect())
}

/// Jobs that are not dead any more and whose letters still lie there.
///
/// # Errors
/// When the database is away.
pub async fn outlived(db: &Db) -> sqlx::Result<Vec<(JobId, QueueName)>> {
    let sql = "select id, queue from jobs where buried_at is not null and state <> 'dead'";
    let rows: Vec<(Uuid, String)> = on!(db, c => sqlx::query_as(sql).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(id, queue)| (JobId(id), QueueName::from(queue))).collect())
}

/// Notes that the letters of these jobs were buried then, or taken away. Whether a job is dead does not matter: it may have died
/// or come back meanwhile, which the next look mends.
///
/// # Errors
/// When the database is away.
pub async fn note(db: &Db, jobs: &[JobId], buried_at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    on!(db, c => {
        let mut query = QueryBuilder::new("update jobs set buried_at = ");
        query.push_bind(buried_at).push(" where id").push_ids(jobs);
        query.build().execute(c).await.map(drop)
    })
}

/// The dead-letter queue of this queue was found to be gone, with all letters in it. Returns how many those were.
///
/// # Errors
/// When the database is away.
pub async fn lost(db: &Db, queue: &QueueName) -> sqlx::Result<u64> {
    let sql = "update jobs set buried_at = null where queue = $1 and state = 'dead' and buried_at is not null";
    on!(db, c => sqlx::query(sql).bind(queue.as_str()).execute(c).await.map(|done| done.rows_affected()))
}
