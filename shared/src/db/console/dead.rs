//! Jobs that failed for good.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::QueryBuilder;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::{Db, jobs::replayed_from};

/// Which of them; all of it together.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// Of one queue.
    pub queue: Option<String>,
    /// With one reason.
    pub reason: Option<String>,
    /// At most so many.
    pub limit: i64,
}

/// How many failed alike.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct DeadGroup {
    /// The queue.
    pub queue: String,
    /// The stable code of what went wrong.
    pub reason: Option<String>,
    /// How many.
    pub count: i64,
    /// When the first of them failed.
    pub oldest: DateTime<Utc>,
    /// When the last of them failed.
    pub newest: DateTime<Utc>,
}

/// A job that failed for good.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct DeadJob {
    /// Ours.
    pub id: Uuid,
    /// The queue.
    pub queue: String,
    /// The call, where it is known.
    pub call_id: Option<Uuid>,
    /// The provider's id of the call.
    pub provider_call_id: Option<String>,
    /// The stable code of what went wrong.
    pub reason: Option<String>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// Tries that were made.
    pub attempts: i32,
    /// When it was given up.
    pub finished_at: Option<DateTime<Utc>>,
}

/// All that failed for good, by queue and reason, most first.
///
/// # Errors
/// When the database is away.
pub async fn dead_groups(db: &Db) -> sqlx::Result<Vec<DeadGroup>> {
    let sql = "select queue, reason, count(*) as count, min(finished_at) as oldest, max(finished_at) as newest
        from jobs where state = 'dead' group by queue, reason order by 3 desc, 1, 2";
    on!(db, c => sqlx::query_as(sql).fetch_all(c).await)
}

/// The jobs that fit, oldest first: in the order in which they would be replayed. With the reason that something was switched
/// off, those that had nothing to do then.
///
/// # Errors
/// When the database is away.
pub async fn dead(db: &Db, filter: &DeadFilter) -> sqlx::Result<Vec<DeadJob>> {
    on!(db, c => {
        let mut query = QueryBuilder::new(
            "select j.id, j.queue, c.id as call_id, c.provider_call_id, j.reason, j.error, j.attempt as attempts,
                j.finished_at
            from jobs j left join events e on e.id = j.event_id left join calls c on c.id = coalesce(j.call_id, e.call_id)
            where j.state = ",
        );
        query.push_bind(replayed_from(filter.reason.as_deref()));
        if let Some(queue) = &filter.queue {
            query.push(" and j.queue = ").push_bind(queue.clone());
        }
        if let Some(reason) = &filter.reason {
            query.push(" and j.reason = ").push_bind(reason.clone());
        }
        query.push(" order by j.finished_at, j.id limit ").push_bind(filter.limit);
        query.build_query_as().fetch_all(c).await
    })
}
