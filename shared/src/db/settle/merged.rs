//! Calls that were found to be another one while work on them was under way (docs/adr/0014): what is due next is due for
//! the one that they became, and so is how the work ended.

use std::collections::HashMap;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{
    super::{PushIds, Tx, calls::share_conclusion, pieces},
    Settlement,
};
use crate::domain::{CallId, NewJob, Write};

/// What these settlements lead to: the jobs that are due next, each with its trace, of calls that are there. To be asked after
/// the results are written: whoever merges a call waits for its jobs, and who settles none of them for the call's own row.
pub(super) async fn next(tx: &mut Tx, batch: &[&Settlement]) -> sqlx::Result<Vec<(NewJob, Option<String>)>> {
    let became = became(tx, &concerned(batch)).await?;
    for (merged, survivor) in &became {
        share_conclusion(tx, *survivor, *merged).await?;
        pieces::forget_merged(tx, *survivor, *merged).await?;
    }
    let there = |job: &NewJob| match job.call_id.and_then(|call| became.get(&call)) {
        Some(survivor) => NewJob::woken(job.step, job.sink.as_ref(), *survivor),
        None => job.clone(),
    };
    let due = |s: &&Settlement| s.next.iter().map(|job| (there(job), s.job.traceparent.clone())).collect::<Vec<_>>();
    Ok(batch.iter().flat_map(due).collect())
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
