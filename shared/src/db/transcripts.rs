//! The words of calls.

use sqlx::{QueryBuilder, types::Json};

use super::{Db, PushIds, calls::family};
use crate::domain::{CallId, Transcript};

/// The transcript of a call, else of one that was merged into it.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Transcript>> {
    of(db, &family(db, call).await?).await
}

/// The transcript of the first of these calls, in the order of ids, that has one.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, calls: &[CallId]) -> sqlx::Result<Option<Transcript>> {
    let row: Option<Json<Transcript>> = on!(db, c => {
        let mut query = QueryBuilder::new("select body from transcripts where call_id");
        query.push_ids(calls).push(" order by call_id").build_query_scalar().fetch_optional(c).await
    })?;
    Ok(row.map(|Json(body)| body))
}
