//! Claims and leases: a worker owns a job from its claim until it settles it or its lease runs out.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::super::{Db, PushIds, unreadable};
use crate::domain::{CallId, EventId, Job, JobId, SinkId, Step};

/// A message may come from a process whose clock runs a little ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(1);

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    step: String,
    call_id: Option<Uuid>,
    event_id: Option<Uuid>,
    sink: Option<String>,
    attempt: i32,
    claims: i32,
    snoozes: i32,
    created_at: DateTime<Utc>,
    traceparent: Option<String>,
}

impl TryFrom<Row> for Job {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: JobId(row.id),
            step: Step::from_str(&row.step).map_err(|e| unreadable("step", e))?,
            call_id: row.call_id.map(CallId),
            event_id: row.event_id.map(EventId),
            sink: row.sink.map(SinkId::from),
            attempt: row.attempt,
            claims: row.claims,
            snoozes: row.snoozes,
            created_at: row.created_at,
            traceparent: row.traceparent,
        })
    }
}

/// Said so that no index of what waits can answer it: a planner that thinks little waits reads all that waits to find a few ids,
/// and in a backlog every claim would.
const CLAIMABLE: &str = "case when state = 'waiting' then due_at <= ";

/// Claims those of `ids` that are due and not taken. A job that is missing in the answer belongs to somebody else, is
/// finished, or not due: its message can be forgotten.
///
/// # Errors
/// When the database is away.
pub async fn claim(
    db: &Db,
    ids: &[JobId],
    owner: Uuid,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> sqlx::Result<Vec<Job>> {
    let rows: Vec<Row> = on!(db, c => {
        let mut query = QueryBuilder::new("update jobs set state = 'running', owner = ");
        query.push_bind(owner).push(", lease_until = ").push_bind(lease_until).push(", started_at = ").push_bind(now);
        query.push(", attempt = attempt + 1, claims = claims + 1, publish_at = null where id in (select id from jobs where ");
        query.push(CLAIMABLE).push_bind(now + CLOCK_SKEW).push(" else false end and id").push_ids(ids);
        query.push(db.lock_in_order()).push(
            ") returning id, step, call_id, event_id, sink, attempt, claims, snoozes, created_at, traceparent",
        );
        query.build_query_as().fetch_all(c).await
    })?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Extends the leases of `running`, which is what `owner` knows that it runs: a claim whose answer was lost on the way must
/// run out. Returns what it still holds; anything else of it was lost.
///
/// # Errors
/// When the database is away.
pub async fn renew(
    db: &Db,
    owner: Uuid,
    running: &[JobId],
    lease_until: DateTime<Utc>,
) -> sqlx::Result<Vec<(JobId, i32)>> {
    let rows: Vec<(Uuid, i32)> = on!(db, c => {
        let mut query = QueryBuilder::new("update jobs set lease_until = ");
        query.push_bind(lease_until).push(" where state = 'running' and owner = ").push_bind(owner).push(" and id");
        query.push_ids(running).push(" returning id, claims");
        query.build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(id, claims)| (JobId(id), claims)).collect())
}

/// Ends every lease, as the one process that uses this database has just started. Embedded only. The tries count: a job
/// that takes its process down each time must end, too.
///
/// # Errors
/// When the database is away.
pub async fn release_all(db: &Db, now: DateTime<Utc>) -> sqlx::Result<()> {
    let running = "update jobs set lease_until = $1 where state = 'running' and lease_until > $1";
    let waiting = "update jobs set publish_at = due_at where state = 'waiting' and publish_at is null";
    on!(db, c => {
        sqlx::query(running).bind(now).execute(c).await?;
        sqlx::query(waiting).execute(c).await.map(drop)
    })
}
