//! Stored recordings.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::{Db, PushIds, calls::family};
use crate::domain::{Absence, Call, CallId, Conclusion, NewJob, Recording, Step, Wake};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    object_key: String,
    size_bytes: i64,
    sha256: String,
    duration_seconds: f64,
    channels: i32,
    sample_rate: i32,
    format: String,
    stored_at: DateTime<Utc>,
}

impl From<Row> for Recording {
    fn from(row: Row) -> Self {
        let Row { object_key, size_bytes, sha256, duration_seconds, channels, sample_rate, format, stored_at } = row;
        Self { object_key, size_bytes, sha256, duration_seconds, channels, sample_rate, format, stored_at }
    }
}

/// The recording of a call, else of one that was merged into it.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Recording>> {
    of(db, &family(db, call).await?).await
}

/// The recording of the first of these calls, in the order of ids, that has one.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, calls: &[CallId]) -> sqlx::Result<Option<Recording>> {
    let row: Option<Row> = on!(db, c => {
        let mut query = QueryBuilder::new("select * from recordings where call_id");
        query.push_ids(calls).push(" order by call_id").build_query_as().fetch_optional(c).await
    })?;
    Ok(row.map(Into::into))
}

/// Why a call that has no recording will have none, unless somebody acts; `None` while one may still come by itself. How its
/// fetch ended says it.
///
/// # Errors
/// When the database is away.
pub async fn absence(db: &Db, call: &Call) -> sqlx::Result<Option<Absence>> {
    let fetch = NewJob::step(Step::Fetch, call.id, Wake::No).id;
    let sql = "select state, coalesce(reason, '') from jobs where id = $1";
    let job: Option<(String, String)> = on!(db, c => sqlx::query_as(sql).bind(fetch.0).fetch_optional(c).await)?;
    Ok(match job.as_ref().map(|(state, reason)| (state.as_str(), reason.as_str())) {
        Some(("waiting" | "running", _)) => None,
        Some(("skipped", "not-recorded" | "merged")) => call.conclusion.map(|_| Absence::NotRecorded),
        Some(("dead" | "skipped", reason)) => Some(Absence::Missing(reason.to_owned())),
        _ => call.conclusion.map(|conclusion| match conclusion {
            Conclusion::RecordingMissing => Absence::Missing(String::new()),
            _ => Absence::NotRecorded,
        }),
    })
}
