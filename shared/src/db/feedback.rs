//! Feedback on calls.

use sqlx::types::Json;

use super::Db;
use crate::domain::{CallId, Feedback};

/// The feedback of a call.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Feedback>> {
    let sql = "select body from feedback where call_id = $1";
    let row: Option<Json<Feedback>> = on!(db, c => sqlx::query_scalar(sql).bind(call.0).fetch_optional(c).await)?;
    Ok(row.map(|Json(body)| body))
}
