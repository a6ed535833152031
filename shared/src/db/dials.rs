//! Who was called up, by whom and when.

use chrono::{DateTime, TimeDelta, Utc};

use super::Db;
use crate::domain::Phone;

/// All who choose an agent wait for each other.
const CHOOSING: i64 = 0x6469_616c;
/// A person who was called so recently is not called again, as whatever contact they come.
const RECENTLY: TimeDelta = TimeDelta::hours(24);
/// Agents who were not rung for so long are all alike.
const LONG_AGO: TimeDelta = TimeDelta::days(7);

/// Whether somebody is to be called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// Yes, and this agent is to be rung. It is written down: nobody else will do it.
    By(String),
    /// They were called before.
    Called,
    /// They may have been: somebody was about to and did not live to tell.
    Perhaps,
}

/// Writes down that this contact is called now by whom of `agents` was not rung for the longest time, unless they were called
/// before.
///
/// # Errors
/// When the database is away.
pub async fn reserve(
    db: &Db,
    contact: &str,
    phone: &Phone,
    agents: &[String],
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Reserved>> {
    let mut tx = db.begin().await?;
    tx.lock(CHOOSING).await?;
    let sql = "select state from dials where contact = $1 or (phone = $2 and asked_at > $3)";
    let before: Vec<String> = within!(&mut tx, c => {
        sqlx::query_scalar(sql).bind(contact).bind(phone.as_str()).bind(now - RECENTLY).fetch_all(c).await
    })?;
    if !before.is_empty() {
        let rang = before.iter().any(|state| state == "rang");
        return Ok(Some(if rang { Reserved::Called } else { Reserved::Perhaps }));
    }
    let sql = "select agent, max(asked_at) from dials where asked_at > $1 group by agent";
    let lately: Vec<(String, DateTime<Utc>)> =
        within!(&mut tx, c => sqlx::query_as(sql).bind(now - LONG_AGO).fetch_all(c).await)?;
    let last = |agent: &String| lately.iter().find(|(known, _)| known == agent).map(|(_, at)| *at);
    let Some(agent) = agents.iter().min_by_key(|agent| (last(agent), agent.len(), *agent)) else { return Ok(None) };
    let sql = "insert into dials (contact, phone, agent, state, asked_at) values ($1, $2, $3, 'asked', $4)";
    within!(&mut tx, c => {
        let query = sqlx::query(sql).bind(contact).bind(phone.as_str()).bind(agent).bind(now);
        query.execute(c).await.map(drop)
    })?;
    tx.commit().await?;
    Ok(Some(Reserved::By(agent.clone())))
}

/// The agent's phone rang.
///
/// # Errors
/// When the database is away.
pub async fn rang(db: &Db, contact: &str) -> sqlx::Result<()> {
    let sql = "update dials set state = 'rang' where contact = $1";
    on!(db, c => sqlx::query(sql).bind(contact).execute(c).await.map(drop))
}

/// It certainly did not: they may be called after all.
///
/// # Errors
/// When the database is away.
pub async fn release(db: &Db, contact: &str) -> sqlx::Result<()> {
    let sql = "delete from dials where contact = $1 and state = 'asked'";
    on!(db, c => sqlx::query(sql).bind(contact).execute(c).await.map(drop))
}
