//! What sinks hold.

use sqlx::{QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Db, PushIds, unreadable};
use crate::domain::{CallId, Delivery, Milestone, SinkId};

/// What a sink holds of a call and its [`family`](super::calls::family): one delivery of each milestone, and those that it
/// outranks, with the call that each was made for. One that came to its end outranks others, then the call's own does, then
/// the older call's.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, family: &[CallId], sink: &SinkId) -> sqlx::Result<(Vec<Delivery>, Vec<(CallId, Delivery)>)> {
    let rows: Vec<(Uuid, String, String, Json<serde_json::Value>)> = on!(db, c => {
        let mut query = QueryBuilder::new("select call_id, milestone, content_hash, refs from deliveries where call_id");
        query.push_ids(family).push(" and sink = ").push_bind(sink.as_str());
        query.build_query_as().fetch_all(c).await
    })?;
    let mut all: Vec<(CallId, Delivery)> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    let unfinished = |delivery: &Delivery| delivery.content_hash == Delivery::UNFINISHED;
    all.sort_by_key(|(of, delivery)| (delivery.milestone, unfinished(delivery), *of));
    let (mut held, mut outranked) = (Vec::<Delivery>::new(), Vec::new());
    for (of, delivery) in all {
        match held.last().is_some_and(|best| best.milestone == delivery.milestone) {
            true => outranked.push((of, delivery)),
            false => held.push(delivery),
        }
    }
    Ok((held, outranked))
}

fn read(
    (call, milestone, content_hash, Json(refs)): (Uuid, String, String, Json<serde_json::Value>),
) -> sqlx::Result<(CallId, Delivery)> {
    let known = Milestone::ALL.into_iter().find(|m| m.as_str() == milestone);
    let milestone = known.ok_or_else(|| unreadable("milestone", format!("unknown milestone {milestone}")))?;
    Ok((CallId(call), Delivery { milestone, content_hash, refs }))
}
