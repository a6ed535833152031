//! Stored recordings.

use chrono::{DateTime, Utc};

use super::Db;
use crate::domain::{CallId, Recording};

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
    let sql = concat!("select * from recordings where call_id in ", family!("$1"), " order by call_id limit 1");
    let row: Option<Row> = on!(db, c => sqlx::query_as(sql).bind(call.0).fetch_optional(c).await)?;
    Ok(row.map(Into::into))
}
