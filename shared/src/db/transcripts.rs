//! The words of calls.

use sqlx::types::Json;

use super::Db;
use crate::domain::{CallId, Transcript};

/// The transcript of a call.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Transcript>> {
    let sql = "select body from transcripts where call_id = $1";
    let row: Option<Json<Transcript>> = on!(db, c => sqlx::query_scalar(sql).bind(call.0).fetch_optional(c).await)?;
    Ok(row.map(|Json(body)| body))
}
