//! Calls that a carrier knows and whose recording we do not have.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::Db;
use crate::domain::CallId;

/// A call, and the name under which the carrier knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// Ours.
    pub call: CallId,
    /// The carrier's.
    pub call_sid: String,
}

/// Calls since `since` that have a `call_sid` and no recording, newest first, each once, however many know it by that name.
/// Those that nobody answered have none.
///
/// # Errors
/// When the database is away.
pub async fn unrecorded(db: &Db, since: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<Unrecorded>> {
    let sql = "select c.id, min(k.value) from calls c join call_keys k on k.call_id = c.id and k.kind = 'call_sid'
        where c.created_at >= $1 and c.merged_into is null and coalesce(c.status, '') not in ('missed', 'failed')
        and not exists (select 1 from recordings r where r.call_id = c.id)
        and not exists (select 1 from calls m join recordings r on r.call_id = m.id where m.merged_into = c.id)
        group by c.id, c.created_at order by c.created_at desc limit $2";
    let rows: Vec<(Uuid, String)> = on!(db, c => sqlx::query_as(sql).bind(since).bind(limit).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(id, call_sid)| Unrecorded { call: CallId(id), call_sid }).collect())
}
