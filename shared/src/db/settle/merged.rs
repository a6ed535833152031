//! Calls that were found to be another one while work on them was under way (docs/adr/0014): what is due next is due for
//! the one that they became, and so is how the work ended.

use std::collections::{HashMap, HashSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{
    super::{PushIds, Tx, calls::share_conclusion, pieces},
    Settlement, results,
};
use crate::domain::{CallId, JobId, NewJob, Write};

/// What these settlements lead to: the jobs that are due next, each with its trace, of calls that are there. To be asked after
/// the results are written: whoever merges a call waits for its jobs, and who settles none of them for the call's own row.
pub(super) async fn next(tx: &mut Tx, batch: &[&Settlement]) -> sqlx::Result<Vec<(NewJob, Option<String>)>> {
    let became = became(tx, &concerned(batch)).await?;
    for (merged, survivor) in &became {
        share_conclusion(tx, *survivor, *merged).await?;
        pieces::forget_heard(tx, *survivor, *merged).await?;
    }
    // Not of all that were concluded before: one of them may be at work anew.
    let over: HashSet<CallId> = batch.iter().flat_map(|s| &s.writes).filter_map(results::ends_work).collect();
    let pairs = became.iter().filter(|(merged, survivor)| over.contains(merged) || over.contains(survivor));
    pieces::forget(tx, pairs.flat_map(|(merged, survivor)| [*merged, *survivor]), None).await?;
    let due = |s: &&Settlement| {
        let next = s.next.iter().map(|job| (there(job, &became), s.job.traceparent.clone()));
        next.collect::<Vec<_>>()
    };
    Ok(batch.iter().flat_map(due).collect())
}

/// The jobs that these settlements lead to, as far as is known before they are written: so that they can be locked in order.
pub(super) async fn due(tx: &mut Tx, batch: &[Settlement]) -> sqlx::Result<Vec<JobId>> {
    let mut calls: Vec<CallId> = batch.iter().flat_map(|s| &s.next).filter_map(|job| job.call_id).collect();
    calls.sort();
    calls.dedup();
    let became = became(tx, &calls).await?;
    Ok(batch.iter().flat_map(|s| &s.next).map(|job| there(job, &became).id).collect())
}

fn there(job: &NewJob, became: &HashMap<CallId, CallId>) -> NewJob {
    match job.call_id.and_then(|call| became.get(&call)) {
        Some(survivor) => NewJob::woken(job.step, job.sink.as_ref(), *survivor),
        None => job.clone(),
    }
}

fn concerned(batch: &[&Settlement]) -> Vec<CallId> {
    let of = |s: &&Settlement| {
        let written = s.writes.iter().map(Write::call);
        s.next.iter().filter_map(|job| job.call_id).chain(written).chain(s.job.call_id).collect::<Vec<_>>()
    };
    let mut calls: Vec<CallId> = batch.iter().flat_map(of).collect();
    calls.sort();
    calls.dedup();
    calls
}

/// Those of these calls that were merged, those that were merged into one of them, and what each has become.
async fn became(tx: &mut Tx, calls: &[CallId]) -> sqlx::Result<HashMap<CallId, CallId>> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, Option<Uuid>)> = within!(tx, c => {
        let mut query = QueryBuilder::new("select id, merged_into from calls where id");
        query.push_ids(calls).push(" union all select id, merged_into from calls where merged_into").push_ids(calls);
        query.build_query_as().fetch_all(c).await
    })?;
    Ok(rows.into_iter().filter_map(|(merged, survivor)| Some((CallId(merged), CallId(survivor?)))).collect())
}
