//! Replies of speech servers to pieces of recordings, from when they are paid for until the transcript holds them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{QueryBuilder, types::Json};

use super::{Db, PushIds, Tx};
use crate::domain::CallId;

/// The replies kept for a call and for those that were merged into it, each with its key.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, call: CallId) -> sqlx::Result<Vec<(String, Value)>> {
    let sql = concat!("select key, reply from pieces where call_id in ", family!("$1"));
    let rows: Vec<(String, Json<Value>)> = on!(db, c => sqlx::query_as(sql).bind(call.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(key, Json(reply))| (key, reply)).collect())
}

/// Keeps a reply, unless the call has its transcript by now. One that is there already stays.
///
/// # Errors
/// When the database is away.
pub async fn keep(db: &Db, call: CallId, key: &str, reply: &Value, now: DateTime<Utc>) -> sqlx::Result<()> {
    let sql = "insert into pieces (call_id, key, reply, heard_at) select $1, $2, $3, $4
        where not exists (select 1 from transcripts where call_id = $1) on conflict do nothing";
    on!(db, c => sqlx::query(sql).bind(call.0).bind(key).bind(Json(reply)).bind(now).execute(c).await.map(drop))
}

/// Forgets the replies kept for these calls and for those that were merged into them.
pub(super) async fn forget(tx: &mut Tx, calls: impl Iterator<Item = CallId>) -> sqlx::Result<()> {
    let calls: Vec<CallId> = calls.collect();
    if calls.is_empty() {
        return Ok(());
    }
    within!(tx, c => {
        let mut query = QueryBuilder::new("delete from pieces where call_id in (select id from calls where id");
        query.push_ids(&calls).push(" or merged_into").push_ids(&calls).push(")");
        query.build().execute(c).await.map(drop)
    })
}
