//! Paid replies, from when they are paid for until the result holds them: of speech servers to pieces of a recording until
//! the transcript, of models to parts of a very long one until the call is concluded.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{QueryBuilder, types::Json};

use super::{Db, PushIds, Tx, calls::family, jobs};
use crate::domain::{CallId, NewJob, Step, Wake};

/// The replies kept for a step of a call and of those that were merged into it, each with its key.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, call: CallId, step: Step) -> sqlx::Result<Vec<(String, Value)>> {
    let family = family(db, call).await?;
    let rows: Vec<(String, Json<Value>)> = on!(db, c => {
        let mut query = QueryBuilder::new("select key, reply from pieces where step = ");
        query.push_bind(step.as_str()).push(" and call_id").push_ids(&family);
        query.build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(key, Json(reply))| (key, reply)).collect())
}

/// Keeps a reply, unless the step's job is finished by now: then whoever bought it had lost the job to another worker. One
/// that is there already stays.
///
/// # Errors
/// When the database is away.
pub async fn keep(db: &Db, call: CallId, step: Step, key: &str, reply: &Value, now: DateTime<Utc>) -> sqlx::Result<()> {
    let job = NewJob::step(step, call, Wake::No).id;
    let mut tx = db.begin().await?;
    // Who settles the job holds its row while the replies are deleted: this comes before, or finds it finished.
    jobs::lock(&mut tx, &[job.0]).await?;
    let sql = "insert into pieces (call_id, step, key, reply, heard_at) select $1, $2, $3, $4, $5
        where not exists (select 1 from jobs where id = $6 and state in ('done', 'skipped')) on conflict do nothing";
    within!(&mut tx, c => {
        let query = sqlx::query(sql).bind(call.0).bind(step.as_str()).bind(key).bind(Json(reply)).bind(now);
        query.bind(job.0).execute(c).await.map(drop)
    })?;
    tx.commit().await
}

/// Whether replies were kept for a step of a call, or of one that was merged into it, since then.
///
/// # Errors
/// When the database is away.
pub async fn any_since(db: &Db, call: CallId, step: Step, since: DateTime<Utc>) -> sqlx::Result<bool> {
    let family = family(db, call).await?;
    let count: i64 = on!(db, c => {
        let mut query = QueryBuilder::new("select count(*) from pieces where step = ");
        query.push_bind(step.as_str()).push(" and heard_at >= ").push_bind(since).push(" and call_id").push_ids(&family);
        query.build_query_scalar().fetch_one(c).await
    })?;
    Ok(count > 0)
}

/// Forgets some of the replies kept for a call and for those that were merged into it.
///
/// # Errors
/// When the database is away.
pub async fn discard(db: &Db, call: CallId, keys: &[String]) -> sqlx::Result<()> {
    let family = family(db, call).await?;
    for key in keys {
        on!(db, c => {
            let mut query = QueryBuilder::new("delete from pieces where key = ");
            query.push_bind(key).push(" and call_id").push_ids(&family).build().execute(c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Forgets the replies kept for these calls; for one step alone, or for all.
pub(super) async fn forget(tx: &mut Tx, calls: impl Iterator<Item = CallId>, step: Option<Step>) -> sqlx::Result<()> {
    let calls: Vec<CallId> = calls.collect();
    if calls.is_empty() {
        return Ok(());
    }
    within!(tx, c => {
        let mut query = QueryBuilder::new("delete from pieces where call_id");
        query.push_ids(&calls);
        if let Some(step) = step {
            query.push(" and step = ").push_bind(step.as_str());
        }
        query.build().execute(c).await.map(drop)
    })
}

/// Forgets the pieces kept of the recordings of a call and of one that was merged into it when either has the words.
pub(super) async fn forget_heard(tx: &mut Tx, survivor: CallId, merged: CallId) -> sqlx::Result<()> {
    let sql = "delete from pieces where call_id in ($1, $2) and step = 'transcribe'
        and exists (select 1 from transcripts where call_id in ($1, $2))";
    within!(tx, c => sqlx::query(sql).bind(survivor.0).bind(merged.0).execute(c).await.map(drop))
}
