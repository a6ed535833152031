//! Recording events in PostgreSQL: events and their first jobs in one statement, which is its own transaction. On a small
//! batch the way to the database and back is most of the cost, and a transaction of several statements goes it four times
//! and more.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Incoming;
use crate::domain::NewJob;

/// One text whatever the length of the batch. `jobs` gets what [`NewJob::first`] says of it.
const RECORD: &str = "
    with incoming as (
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[],
            $9::text[]) as i (id, provider, account, kind, dedupe_key, body, step, queue, traceparent)
    ), new as (
        insert into events (id, provider, account, kind, dedupe_key, body, received_at)
        select id, provider, account, kind, dedupe_key, body, $10 from incoming
        on conflict (provider, account, dedupe_key) do nothing returning id
    ), due as (
        insert into jobs (id, step, queue, event_id, state, due_at, publish_at, attempt, claims, snoozes, again,
            traceparent, created_at)
        select id, step, queue, id, 'waiting', $10, $11, 0, 0, 0, false, traceparent, $10 from incoming join new using (id)
    )
    select id from new";

/// The ids of those that are new.
pub(super) async fn record(
    db: &PgPool,
    batch: &[Incoming],
    now: DateTime<Utc>,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<HashSet<Uuid>> {
    let jobs: Vec<_> = batch.iter().map(|i| NewJob::first(i.id, &i.event.kind)).collect();
    let column = |of: fn(&Incoming) -> &str| batch.iter().map(of).collect::<Vec<_>>();
    let new: Vec<Uuid> = sqlx::query_scalar(RECORD)
        .bind(batch.iter().map(|i| i.id.0).collect::<Vec<_>>())
        .bind(column(|i| i.event.provider.as_str()))
        .bind(column(|i| &i.event.account))
        .bind(column(|i| i.event.kind.as_str()))
        .bind(column(|i| &i.event.dedupe_key))
        .bind(batch.iter().map(|i| i.event.body.as_slice()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.step.as_str()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.queue().as_str().to_owned()).collect::<Vec<_>>())
        .bind(batch.iter().map(|i| i.traceparent.as_deref()).collect::<Vec<_>>())
        .bind(now)
        .bind(publish_at)
        .fetch_all(db)
        .await?;
    Ok(new.into_iter().collect())
}
