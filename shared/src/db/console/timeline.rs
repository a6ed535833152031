//! One call's way: its events, its jobs, and every try that failed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::Db;
use crate::domain::CallId;

/// An event of a call. Its body stays in the database.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct EventLine {
    /// Ours.
    pub id: Uuid,
    /// What it says.
    pub kind: String,
    /// When it was accepted.
    pub received_at: DateTime<Utc>,
}

/// A job of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobLine {
    /// Ours.
    pub id: Uuid,
    /// Which step.
    pub step: String,
    /// For sync.
    pub sink: Option<String>,
    /// `waiting`, `running`, `done`, `skipped`, `dead`.
    pub state: String,
    /// Tries that count.
    pub attempts: i32,
    /// Why it was skipped, or what went wrong last.
    pub reason: Option<String>,
    /// What went wrong last, in words.
    pub error: Option<String>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it is, or was last, due.
    pub due_at: DateTime<Utc>,
    /// When its last try began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Every try that failed, oldest first.
    pub failures: Vec<FailureLine>,
}

/// A try that failed.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct FailureLine {
    #[serde(skip)]
    job_id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `retry`, `snooze`, `fail`, …
    pub verdict: String,
    /// A stable code.
    pub reason: String,
    /// In words.
    pub error: String,
}

/// The events of a call, oldest first.
///
/// # Errors
/// When the database is away.
pub async fn events(db: &Db, call: CallId) -> sqlx::Result<Vec<EventLine>> {
    let sql = "select id, kind, received_at from events where call_id = $1 order by received_at, id";
    on!(db, c => sqlx::query_as(sql).bind(call.0).fetch_all(c).await)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    step: String,
    sink: Option<String>,
    state: String,
    attempt: i32,
    reason: Option<String>,
    error: Option<String>,
    created_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// The jobs of a call, the intake of its events included, in the order in which they were added.
///
/// # Errors
/// When the database is away.
pub async fn jobs(db: &Db, call: CallId) -> sqlx::Result<Vec<JobLine>> {
    let rows = "select id, step, sink, state, attempt, reason, error, created_at, due_at, started_at, finished_at
        from jobs where call_id = $1
        union all
        select j.id, j.step, j.sink, j.state, j.attempt, j.reason, j.error, j.created_at, j.due_at, j.started_at,
            j.finished_at
        from events e join jobs j on j.id = e.id where e.call_id = $1
        order by 8, 1";
    let rows: Vec<Row> = on!(db, c => sqlx::query_as(rows).bind(call.0).fetch_all(c).await)?;
    let failures = "select f.job_id, f.at, f.verdict, f.reason, f.error from failures f join jobs j on j.id = f.job_id
        where j.call_id = $1
        union all
        select f.job_id, f.at, f.verdict, f.reason, f.error from failures f join events e on e.id = f.job_id
        where e.call_id = $1
        order by 2";
    let failures: Vec<FailureLine> = on!(db, c => sqlx::query_as(failures).bind(call.0).fetch_all(c).await)?;
    let line = |row: Row| {
        let own = failures.iter().filter(|failure| failure.job_id == row.id).cloned().collect();
        let Row { id, step, sink, state, attempt: attempts, reason, error, .. } = row;
        let Row { created_at, due_at, started_at, finished_at, .. } = row;
        JobLine {
            id,
            step,
            sink,
            state,
            attempts,
            reason,
            error,
            created_at,
            due_at,
            started_at,
            finished_at,
            failures: own,
        }
    };
    Ok(rows.into_iter().map(line).collect())
}
