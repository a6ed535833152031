//! Recording events in SQLite: a transaction of statements that are nobody's but a process's own.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{
    super::{Db, Tx, jobs, pieces},
    Incoming,
};
use crate::domain::NewJob;

/// The ids of those that are new.
pub(super) async fn record(
    db: &Db,
    batch: &[Incoming],
    now: DateTime<Utc>,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<HashSet<Uuid>> {
    let mut tx = db.begin().await?;
    let new = insert(&mut tx, batch, now).await?;
    let first = |i: &Incoming| (NewJob::first(i.id, &i.event.kind), i.traceparent.clone());
    let due: Vec<_> = batch.iter().filter(|i| new.contains(&i.id.0)).map(first).collect();
    jobs::add(&mut tx, &due, now, publish_at).await?;
    tx.commit().await?;
    Ok(new)
}

async fn insert(tx: &mut Tx, batch: &[Incoming], now: DateTime<Utc>) -> sqlx::Result<HashSet<Uuid>> {
    let head = "insert into events (id, provider, account, kind, dedupe_key, body, received_at) ";
    let mut new = HashSet::with_capacity(batch.len());
    for piece in pieces(batch) {
        let ids: Vec<Uuid> = within!(&mut *tx, c => {
            let mut query = QueryBuilder::new(head);
            query.push_values(piece, |mut row, i| {
                row.push_bind(i.id.0).push_bind(i.event.provider.as_str()).push_bind(i.event.account.as_str());
                row.push_bind(i.event.kind.as_str()).push_bind(i.event.dedupe_key.as_str());
                row.push_bind(i.event.body.as_slice()).push_bind(now);
            });
            query.push(" on conflict (provider, account, dedupe_key) do nothing returning id");
            query.build_query_scalar().fetch_all(c).await
        })?;
        new.extend(ids);
    }
    Ok(new)
}
