//! What sinks hold.

use sqlx::types::Json;

use super::{Db, unreadable};
use crate::domain::{CallId, Delivery, Milestone, SinkId};

/// What a sink holds of a call.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, call: CallId, sink: &SinkId) -> sqlx::Result<Vec<Delivery>> {
    let sql = "select milestone, content_hash, refs from deliveries where call_id = $1 and sink = $2";
    let rows: Vec<(String, String, Json<serde_json::Value>)> =
        on!(db, c => sqlx::query_as(sql).bind(call.0).bind(sink.as_str()).fetch_all(c).await)?;
    rows.into_iter()
        .map(|(milestone, content_hash, Json(refs))| {
            let known = Milestone::ALL.into_iter().find(|m| m.as_str() == milestone);
            let milestone = known.ok_or_else(|| unreadable("milestone", format!("unknown milestone {milestone}")))?;
            Ok(Delivery { milestone, content_hash, refs })
        })
        .collect()
}
