//! Names that only one at a time may hold.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::Db;

/// Names of whoever died are forgotten so long after their time was over.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);

/// Takes all of these names until then, or, where somebody else holds one, none of them. Who holds them already holds
/// them longer.
///
/// # Errors
/// When the database is away.
pub async fn take(
    db: &Db,
    names: &[String],
    owner: Uuid,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    // In one order, so that two who take cannot wait for each other. A renewal may meet them in another; the database ends
    // one of the two then, and it is made again.
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(true);
    }
    let mut tx = db.begin().await?;
    let taken = within!(&mut tx, c => {
        let mut query = QueryBuilder::new("insert into locks (name, owner, expires_at) ");
        query.push_values(&names, |mut row, name| {
            row.push_bind(*name).push_bind(owner).push_bind(expires_at);
        });
        query.push(" on conflict (name) do update set owner = excluded.owner, expires_at = excluded.expires_at
            where locks.owner = excluded.owner or locks.expires_at <= ").push_bind(now);
        query.build().execute(c).await.map(|done| done.rows_affected())
    })?;
    if taken == names.len() as u64 {
        tx.commit().await?;
        forget(db, now - FORGOTTEN).await;
        return Ok(true);
    }
    Ok(false)
}

/// Tidies up. By itself, so that it neither waits while names are held nor undoes that they were taken.
async fn forget(db: &Db, before: DateTime<Utc>) {
    let sql = "delete from locks where expires_at < $1";
    let done: sqlx::Result<()> = on!(db, c => sqlx::query(sql).bind(before).execute(c).await.map(drop));
    if let Err(error) = done {
        tracing::debug!(%error, "old locks could not be deleted; the next one who takes one tries again");
    }
}

/// Holds all that this owner still holds until then; how many names that are.
///
/// # Errors
/// When the database is away.
pub async fn renew(db: &Db, owner: Uuid, expires_at: DateTime<Utc>) -> sqlx::Result<u64> {
    let sql = "update locks set expires_at = $2 where owner = $1";
    on!(db, c => sqlx::query(sql).bind(owner).bind(expires_at).execute(c).await.map(|done| done.rows_affected()))
}

/// Gives back all that this owner holds.
///
/// # Errors
/// When the database is away; then the names are free when their time is over.
pub async fn release(db: &Db, owner: Uuid) -> sqlx::Result<()> {
    let sql = "delete from locks where owner = $1";
    on!(db, c => sqlx::query(sql).bind(owner).execute(c).await.map(drop))
}
