//! Accepted webhooks. Recording them is what ingest does all day, so there is one file per database for it.

mod postgres;
mod sqlite;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Db, Tx};
use crate::domain::{CallId, Event, EventId, EventKind, NewEvent, ProviderId};

/// What became of an event that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is new, and its first step is due.
    New,
    /// It was recorded before.
    Duplicate,
}

/// An event on its way into the database.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The id that it gets if it is new.
    pub id: EventId,
    /// What was received.
    pub event: NewEvent,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

/// Records events and makes their first step due, in one transaction for all of them. `publish_at` is when the dispatcher takes
/// over publishing, should the caller not manage to.
///
/// # Errors
/// When it cannot be committed; then none of them is recorded (or, connection lost, that is unknown: record them again).
pub async fn record(
    db: &Db,
    batch: &[Incoming],
    now: DateTime<Utc>,
    publish_at: DateTime<Utc>,
) -> sqlx::Result<Vec<Recorded>> {
    let new = match db {
        Db::Postgres(pool) => postgres::record(pool, batch, now, publish_at).await?,
        Db::Sqlite(_) => sqlite::record(db, batch, now, publish_at).await?,
    };
    let outcome = |i: &Incoming| if new.contains(&i.id.0) { Recorded::New } else { Recorded::Duplicate };
    Ok(batch.iter().map(outcome).collect())
}

/// Records what a provider's API said as if its webhooks had brought it; the dispatcher publishes it. Returns how many were
/// new.
///
/// # Errors
/// As [`record`].
pub async fn learn(
    db: &Db,
    mut events: Vec<NewEvent>,
    traceparent: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    // In the order in which ingest writes them, too, so that two transactions cannot wait for each other.
    events.sort_by(|a, b| (&a.account, &a.dedupe_key).cmp(&(&b.account, &b.dedupe_key)));
    let traceparent = traceparent.map(str::to_owned);
    let incoming = |event| Incoming { id: EventId::new(), event, traceparent: traceparent.clone() };
    let batch: Vec<_> = events.into_iter().map(incoming).collect();
    let recorded = record(db, &batch, now, now).await?;
    Ok(recorded.into_iter().filter(|outcome| *outcome == Recorded::New).count())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    provider: String,
    account: String,
    kind: String,
    dedupe_key: String,
    body: Vec<u8>,
    received_at: DateTime<Utc>,
}

impl From<Row> for Event {
    fn from(row: Row) -> Self {
        Self {
            id: EventId(row.id),
            provider: ProviderId::from(row.provider),
            account: row.account,
            kind: EventKind::parse(&row.kind),
            dedupe_key: row.dedupe_key,
            body: row.body,
            received_at: row.received_at,
        }
    }
}

const COLUMNS: &str = "select id, provider, account, kind, dedupe_key, body, received_at from events";

/// One event.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, id: EventId) -> sqlx::Result<Option<Event>> {
    let sql = const_format(" where id = $1");
    let row: Option<Row> = on!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.0).fetch_optional(c).await)?;
    Ok(row.map(Into::into))
}

/// The event of that key.
///
/// # Errors
/// When the database is away.
pub async fn find_by_dedupe_key(
    db: &Db,
    provider: &ProviderId,
    account: &str,
    key: &str,
) -> sqlx::Result<Option<Event>> {
    let sql = const_format(" where provider = $1 and account = $2 and dedupe_key = $3");
    let row: Option<Row> = on!(db, c => {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(provider.as_str()).bind(account);
        query.bind(key).fetch_optional(c).await
    })?;
    Ok(row.map(Into::into))
}

/// All events of a call, as they came.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, call: CallId) -> sqlx::Result<Vec<Event>> {
    let sql = const_format(" where call_id = $1 order by received_at, id");
    let rows: Vec<Row> = on!(db, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(call.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// All events of a call.
pub(super) async fn of_call(tx: &mut Tx, call: CallId) -> sqlx::Result<Vec<Event>> {
    let sql = const_format(" where call_id = $1");
    let rows: Vec<Row> = within!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(call.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

fn const_format(clause: &str) -> String {
    format!("{COLUMNS}{clause}")
}
