//! Feedback on calls, and asking for it anew.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Db, PushIds, calls::family, jobs};
use crate::domain::{CallId, Feedback, JobId, NewJob, QueueName, Step, Wake};

/// The feedback of a call, else of one that was merged into it.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, call: CallId) -> sqlx::Result<Option<Feedback>> {
    Ok(kept(db, &family(db, call).await?).await?.map(|(feedback, _)| feedback))
}

/// The feedback of the first of these calls, in the order of ids, that has any; and whether it is to be made anew.
///
/// # Errors
/// When the database is away.
pub async fn kept(db: &Db, calls: &[CallId]) -> sqlx::Result<Option<(Feedback, bool)>> {
    let row: Option<(Json<Feedback>, bool)> = on!(db, c => {
        let mut query = QueryBuilder::new("select body, renew from feedback where call_id");
        query.push_ids(calls).push(" order by call_id").build_query_as().fetch_optional(c).await
    })?;
    Ok(row.map(|(Json(body), renew)| (body, renew)))
}

/// Those of these calls that were transcribed, which is what feedback is made from, each with the feedback it has; the words,
/// and the feedback, may be those of a call that was merged into it.
///
/// # Errors
/// When the database is away.
pub async fn of_transcribed(db: &Db, calls: &[CallId]) -> sqlx::Result<HashMap<CallId, Option<Feedback>>> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let mut known = HashMap::new();
    for sql in [OWN_WORDS, MERGED_WORDS] {
        let rows: Vec<Uuid> = on!(db, c => {
            QueryBuilder::new(sql).push_ids(calls).build_query_scalar().fetch_all(c).await
        })?;
        known.extend(rows.into_iter().map(|call| (CallId(call), None)));
    }
    for (sql, order) in [(OWN_FEEDBACK, ""), (MERGED_FEEDBACK, " order by k.id")] {
        let rows: Vec<(Uuid, Json<Feedback>)> = on!(db, c => {
            QueryBuilder::new(sql).push_ids(calls).push(order).build_query_as().fetch_all(c).await
        })?;
        for (call, Json(body)) in rows {
            known.entry(CallId(call)).and_modify(|feedback| *feedback = feedback.take().or(Some(body)));
        }
    }
    Ok(known)
}

const OWN_WORDS: &str = "select call_id from transcripts where call_id";
const MERGED_WORDS: &str =
    "select k.merged_into from calls k join transcripts t on t.call_id = k.id where k.merged_into";
const OWN_FEEDBACK: &str = "select call_id, body from feedback where call_id";
const MERGED_FEEDBACK: &str =
    "select k.merged_into, f.body from calls k join feedback f on f.call_id = k.id where k.merged_into";

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
        let mut query =
            QueryBuilder::new("update feedback set renew = true where call_id in (select id from calls where id");
        query.push_ids(calls).push(" union all select id from calls where merged_into").push_ids(calls).push(")");
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
