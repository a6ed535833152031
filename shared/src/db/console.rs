//! What operators ask: the list of calls, one call's way through the steps, and what failed for good.
//!
//! Reads only; replaying is in [`crate::replay`].

mod dead;
mod list;
mod timeline;
mod unrecorded;

use chrono::{DateTime, Utc};
pub use dead::{DeadFilter, DeadGroup, DeadJob, dead, dead_groups};
pub use list::{CallFilter, CallLine, Cursor, calls};
use serde::Serialize;
use sqlx::{QueryBuilder, types::Json};
pub use timeline::{EventLine, FailureLine, JobLine, events, jobs};
pub use unrecorded::{Unrecorded, unrecorded};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Db, PushIds, calls as call_rows};
use crate::domain::CallId;

/// The calls that these providers know by that name, whatever kind of name it is, and who does.
///
/// # Errors
/// When the database is away.
pub async fn named(db: &Db, providers: &[&str], name: &str) -> sqlx::Result<Vec<(String, CallId)>> {
    let rows: Vec<(String, Uuid)> = on!(db, c => {
        let mut query = QueryBuilder::new("select distinct provider, call_id from call_keys where value = ");
        query.push_bind(name).push(" and provider in (");
        let mut list = query.separated(", ");
        for provider in providers {
            list.push_bind(*provider);
        }
        query.push(") order by provider, call_id").build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(provider, id)| (provider, CallId(id))).collect())
}

/// What a sink holds of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryLine {
    /// The sink.
    pub sink: String,
    /// The milestone.
    pub milestone: String,
    /// The sink's own ids.
    pub refs: serde_json::Value,
    /// When it was brought there.
    pub delivered_at: DateTime<Utc>,
}

/// What all sinks hold of a call and of those that were merged into it, in the order in which they got it.
///
/// # Errors
/// When the database is away.
pub async fn deliveries(db: &Db, call: CallId) -> sqlx::Result<Vec<DeliveryLine>> {
    let family = call_rows::family(db, call).await?;
    let rows: Vec<(String, String, Json<serde_json::Value>, DateTime<Utc>)> = on!(db, c => {
        let mut query = QueryBuilder::new("select sink, milestone, refs, delivered_at from deliveries where call_id");
        query.push_ids(&family).push(" order by delivered_at, sink, milestone").build_query_as().fetch_all(c).await
    })?;
    let line = |(sink, milestone, Json(refs), delivered_at)| DeliveryLine { sink, milestone, refs, delivered_at };
    Ok(rows.into_iter().map(line).collect())
}
