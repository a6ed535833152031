//! The words of calls.

use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

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
    Ok(all(db, calls).await?.into_iter().next().map(|(_, transcript)| transcript))
}

/// The transcripts of these calls, in the order of ids.
///
/// # Errors
/// When the database is away.
pub async fn all(db: &Db, calls: &[CallId]) -> sqlx::Result<Vec<(CallId, Transcript)>> {
    let rows: Vec<(Uuid, Json<Transcript>)> = on!(db, c => {
        let mut query = QueryBuilder::new("select call_id, body from transcripts where call_id");
        query.push_ids(calls).push(" order by call_id").build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(call, Json(body))| (CallId(call), body)).collect())
}
