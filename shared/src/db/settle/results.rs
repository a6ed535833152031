//! The results of steps, written many at a time. Writing a result twice leaves the later one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{QueryBuilder, types::Json};

use super::{
    super::{Tx, pieces},
    Settlement,
};
use crate::domain::{CallId, Conclusion, Delivery, Feedback, Recording, SinkId, Step, Transcript, Write};

#[derive(Default)]
struct Sorted<'a> {
    recordings: Vec<(CallId, &'a Recording)>,
    transcripts: Vec<(CallId, &'a Transcript)>,
    feedback: Vec<(CallId, &'a Feedback)>,
    conclusions: Vec<(CallId, Conclusion)>,
    deliveries: Vec<(CallId, &'a SinkId, &'a Delivery)>,
}

pub(super) async fn write(tx: &mut Tx, batch: &[&Settlement], now: DateTime<Utc>) -> sqlx::Result<()> {
    let mut sorted = Sorted::default();
    for write in batch.iter().flat_map(|s| &s.writes) {
        match write {
            Write::Recording(call, recording) => sorted.recordings.push((*call, recording)),
            Write::Transcript(call, transcript) => sorted.transcripts.push((*call, transcript)),
            Write::Feedback(call, feedback) => sorted.feedback.push((*call, feedback)),
            Write::Conclusion(call, conclusion) => sorted.conclusions.push((*call, *conclusion)),
            Write::Delivery(call, sink, delivery) => sorted.deliveries.push((*call, sink, delivery)),
        }
    }
    recordings(tx, &mut sorted.recordings, now).await?;
    let heard = sorted.transcripts.iter().map(|(call, _)| *call);
    pieces::forget(tx, heard, Some(Step::Transcribe)).await?;
    pieces::forget(tx, batch.iter().flat_map(|s| &s.writes).filter_map(ends_work), None).await?;
    bodies(tx, "transcripts", &mut sorted.transcripts, "").await?;
    bodies(tx, "feedback", &mut sorted.feedback, ", renew = false").await?;
    conclusions(tx, &mut sorted.conclusions, now).await?;
    deliveries(tx, &mut sorted.deliveries, now).await
}

/// The call that this ends the work on. For one that was found to lack its recording nothing was bought, unless one came
/// meanwhile: then that is at work.
pub(super) fn ends_work(write: &Write) -> Option<CallId> {
    match write {
        Write::Conclusion(call, conclusion) => (!conclusion.lacks_recording()).then_some(*call),
        _ => None,
    }
}

/// In the order of the keys, each once (the last one wins): no deadlocks, no row twice in a statement.
fn settle_order<T, K: Ord>(rows: &mut Vec<T>, key: impl Fn(&T) -> K) {
    rows.reverse();
    rows.sort_by_key(&key);
    rows.dedup_by_key(|row| key(row));
}

async fn recordings(tx: &mut Tx, rows: &mut Vec<(CallId, &Recording)>, now: DateTime<Utc>) -> sqlx::Result<()> {
    settle_order(rows, |(call, _)| *call);
    if rows.is_empty() {
        return Ok(());
    }
    within!(tx, c => {
        let mut query = QueryBuilder::new("insert into recordings (call_id, object_key, size_bytes, sha256,
            duration_seconds, channels, sample_rate, format, stored_at) ");
        query.push_values(rows.iter(), |mut row, (call, r)| {
            row.push_bind(call.0).push_bind(r.object_key.as_str()).push_bind(r.size_bytes).push_bind(r.sha256.as_str());
            row.push_bind(r.duration_seconds).push_bind(r.channels).push_bind(r.sample_rate);
            row.push_bind(r.format.as_str()).push_bind(r.stored_at);
        });
        query.push(" on conflict (call_id) do update set object_key = excluded.object_key,
            size_bytes = excluded.size_bytes, sha256 = excluded.sha256, duration_seconds = excluded.duration_seconds,
            channels = excluded.channels, sample_rate = excluded.sample_rate, format = excluded.format,
            stored_at = excluded.stored_at");
        query.build().execute(c).await.map(drop)
    })?;
    // It came after all: our work on the call goes on.
    within!(tx, c => {
        let mut query = QueryBuilder::new("update calls set conclusion = null, updated_at = ");
        query.push_bind(now).push(" where conclusion in ('not-recorded', 'recording-missing') and id in (");
        let mut list = query.separated(", ");
        for (call, _) in rows.iter() {
            list.push_bind(call.0);
        }
        query.push(")");
        query.build().execute(c).await.map(drop)
    })
}

async fn bodies<T: Serialize + Sync>(
    tx: &mut Tx,
    table: &str,
    rows: &mut Vec<(CallId, &T)>,
    replacing: &str,
) -> sqlx::Result<()> {
    settle_order(rows, |(call, _)| *call);
    if rows.is_empty() {
        return Ok(());
    }
    let bodies: Vec<_> = rows
        .iter()
        .map(|(call, body)| serde_json::to_value(body).map(|body| (call.0, Json(body))))
        .collect::<Result<_, _>>()
        .map_err(|e| sqlx::Error::Encode(e.into()))?;
    within!(tx, c => {
        let mut query = QueryBuilder::new(format!("insert into {table} (call_id, body) "));
        query.push_values(bodies, |mut row, (call, body)| {
            row.push_bind(call).push_bind(body);
        });
        query.push(" on conflict (call_id) do update set body = excluded.body").push(replacing);
        query.build().execute(c).await.map(drop)
    })
}

async fn conclusions(tx: &mut Tx, rows: &mut Vec<(CallId, Conclusion)>, now: DateTime<Utc>) -> sqlx::Result<()> {
    settle_order(rows, |(call, _)| *call);
    while let Some((_, conclusion)) = rows.first().copied() {
        let calls: Vec<_> = rows.extract_if(.., |(_, other)| *other == conclusion).collect();
        within!(&mut *tx, c => {
            let mut query = QueryBuilder::new("update calls set conclusion = ");
            query.push_bind(conclusion.as_str()).push(", updated_at = ").push_bind(now).push(" where id in (");
            let mut list = query.separated(", ");
            for (call, _) in &calls {
                list.push_bind(call.0);
            }
            query.push(")");
            if conclusion.lacks_recording() {
                // Whoever found that read the call before its recording came, or another one's that it was merged with.
                query.push(" and (conclusion is null or conclusion in ('not-recorded', 'recording-missing'))
                    and not exists (select 1 from recordings where call_id = calls.id)");
            }
            query.build().execute(c).await.map(drop)
        })?;
    }
    Ok(())
}

async fn deliveries(tx: &mut Tx, rows: &mut Vec<(CallId, &SinkId, &Delivery)>, now: DateTime<Utc>) -> sqlx::Result<()> {
    settle_order(rows, |(call, sink, delivery)| (*call, (*sink).clone(), delivery.milestone));
    if rows.is_empty() {
        return Ok(());
    }
    within!(tx, c => {
        let mut query = QueryBuilder::new(
            "insert into deliveries (call_id, sink, milestone, content_hash, refs, delivered_at) ",
        );
        query.push_values(rows.iter(), |mut row, (call, sink, delivery)| {
            row.push_bind(call.0).push_bind(sink.as_str()).push_bind(delivery.milestone.as_str());
            row.push_bind(delivery.content_hash.as_str()).push_bind(Json(&delivery.refs)).push_bind(now);
        });
        query.push(" on conflict (call_id, sink, milestone) do update set content_hash = excluded.content_hash,
            refs = excluded.refs, delivered_at = excluded.delivered_at");
        query.build().execute(c).await.map(drop)
    })
}
