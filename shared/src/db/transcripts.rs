//! The words of calls.

use sqlx::types::Json;

use super::Db;
use crate::domain::{CallId, Transcript};

/// The transcript of a call, else of one that was merged into it.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Transcript>> {
    let sql = concat!("select body from transcripts where call_id in ", family!("$1"), " order by call_id limit 1");
    let row: Option<Json<Transcript>> = on!(db, c => sqlx::query_scalar(sql).bind(call.0).fetch_optional(c).await)?;
    Ok(row.map(|Json(body)| body))
}
