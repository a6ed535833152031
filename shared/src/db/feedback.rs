//! Feedback on calls, and asking for it anew.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Db, PushIds, jobs};
use crate::domain::{CallId, Feedback, JobId, NewJob, QueueName, Step, Wake};

/// The feedback of a call, else of one that was merged into it.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Feedback>> {
    Ok(kept(db, call).await?.map(|(feedback, _)| feedback))
}

/// The feedback of a call, and whether it is to be made anew.
///
/// # Errors
/// When the database is away.
pub async fn kept(db: &Db, call: CallId) -> sqlx::Result<Option<(Feedback, bool)>> {
    let sql = concat!("select body, renew from feedback where call_id in ", family!("$1"), " order by call_id limit 1");
    let row: Option<(Json<Feedback>, bool)> = on!(db, c => sqlx::query_as(sql).bind(call.0).fetch_optional(c).await)?;
    Ok(row.map(|(Json(body), renew)| (body, renew)))
}

/// Those of these calls that were transcribed, which is what feedback is made from, each with the feedback it has.
///
/// # Errors
/// When the database is away.
pub async fn of_transcribed(db: &Db, calls: &[CallId]) -> sqlx::Result<HashMap<CallId, Option<Feedback>>> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, Option<Json<Feedback>>)> = on!(db, c => {
        let mut query = QueryBuilder::new(concat!(
            "select c.id, (select f.body from feedback f where f.call_id in ", family!("c.id"),
            " order by f.call_id limit 1) from calls c
            where exists (select 1 from transcripts t where t.call_id in ", family!("c.id"), ") and c.id",
        ));
        query.push_ids(calls).build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(call, body)| (CallId(call), body.map(|Json(body)| body))).collect())
}

/// Has feedback on these calls made anew: marks what they have, which stays in use meanwhile, and wakes their jobs. Returns
/// the jobs that now wait for a worker, for the caller to publish; one that runs at this moment runs once more.
///
/// # Errors
/// When the database is away. Then nothing was changed.
pub async fn renew(db: &Db, calls: &[CallId], now: DateTime<Utc>) -> sqlx::Result<Vec<(JobId, QueueName)>> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    let batch: Vec<_> = calls.iter().map(|call| (NewJob::step(Step::Analyze, *call, Wake::Yes), None)).collect();
    let mut tx = db.begin().await?;
    // Jobs before results, as whoever settles does: two that want the same rows must not wait for each other.
    let ids: Vec<_> = batch.iter().map(|(job, _)| job.id.0).collect();
    jobs::lock(&mut tx, &ids).await?;
    let waiting = jobs::add(&mut tx, &batch, now, now).await?;
    within!(&mut tx, c => {
        let mut query = QueryBuilder::new("update feedback set renew = true where call_id in (select id from calls where id");
        query.push_ids(calls).push(" or merged_into").push_ids(calls).push(")");
        query.build().execute(c).await.map(drop)
    })?;
    tx.commit().await?;
    Ok(waiting)
}

/// How the analysis of a call stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Standing {
    call_id: Uuid,
    /// `waiting`, `running`, `done`, `skipped`, `dead`.
    pub state: String,
    /// Why it was skipped, or what went wrong last.
    pub reason: Option<String>,
    /// When it is, or was last, due.
    pub due_at: DateTime<Utc>,
}

impl Standing {
    /// Whose.
    pub fn call(&self) -> CallId {
        CallId(self.call_id)
    }
}

/// How the analysis of each of these calls stands.
///
/// # Errors
/// When the database is away.
pub async fn standing(db: &Db, calls: &[CallId]) -> sqlx::Result<Vec<Standing>> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    on!(db, c => {
        let mut query = QueryBuilder::new("select call_id, state, reason, due_at from jobs where id in (");
        let mut list = query.separated(", ");
        for call in calls {
            list.push_bind(NewJob::step(Step::Analyze, *call, Wake::No).id.0);
        }
        query.push(")").build_query_as().fetch_all(c).await
    })
}
