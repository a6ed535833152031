//! Calls, and how events are tied to them.

mod tie;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
pub use tie::tie;
use uuid::Uuid;

use super::{Db, Tx, unreadable};
use crate::domain::{Call, CallFacts, CallId, Conclusion, ProviderId, QueueName};

/// A call that a step is to work on.
#[derive(Debug)]
pub struct Found {
    /// The call; where two were found to be one, the one that it became.
    pub call: Call,
    /// Whether others were merged into it.
    pub has_merged: bool,
    /// Whether a job of that queue still works on one of them.
    pub is_busy: bool,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: Uuid,
    provider: String,
    account: String,
    facts: Json<CallFacts>,
    conclusion: Option<String>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Call {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let conclusion = row
            .conclusion
            .map(|text| serde_json::from_value::<Conclusion>(text.into()).map_err(|e| unreadable("conclusion", e)));
        Ok(Self {
            id: CallId(row.id),
            provider: ProviderId::from(row.provider),
            account: row.account,
            facts: row.facts.0,
            conclusion: conclusion.transpose()?,
            created_at: row.created_at,
        })
    }
}

/// One call; where two were found to be one, the one that it became.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, id: CallId) -> sqlx::Result<Option<Call>> {
    // The second branch is only run when the first finds that the call was merged into another.
    let sql =
        "select id, provider, account, facts, conclusion, created_at from calls where id = $1 and merged_into is null
        union all
        select o.id, o.provider, o.account, o.facts, o.conclusion, o.created_at
        from calls m join calls o on o.id = m.merged_into where m.id = $1";
    let row: Option<Row> = on!(db, c => sqlx::query_as(sql).bind(id.0).fetch_optional(c).await)?;
    row.map(TryInto::try_into).transpose()
}

/// One call, as [`find`], for a job of this queue.
///
/// # Errors
/// When the database is away.
pub async fn find_for(db: &Db, id: CallId, queue: &QueueName) -> sqlx::Result<Option<Found>> {
    #[derive(sqlx::FromRow)]
    struct Line {
        #[sqlx(flatten)]
        call: Row,
        has_merged: bool,
        is_busy: bool,
    }
    let sql = "select c.id, c.provider, c.account, c.facts, c.conclusion, c.created_at,
            exists (select 1 from calls k where k.merged_into = c.id) as has_merged,
            exists (select 1 from calls k join jobs j on j.call_id = k.id
                where k.merged_into = c.id and j.queue = $2 and j.state = 'running') as is_busy
        from calls c where c.id = $1 and c.merged_into is null
        union all
        select o.id, o.provider, o.account, o.facts, o.conclusion, o.created_at, true, false
        from calls m join calls o on o.id = m.merged_into where m.id = $1";
    let line: Option<Line> = on!(db, c => sqlx::query_as(sql).bind(id.0).bind(queue.as_str()).fetch_optional(c).await)?;
    let found = |line: Line| {
        let Line { call, has_merged, is_busy } = line;
        Ok(Found { call: call.try_into()?, has_merged, is_busy })
    };
    line.map(found).transpose()
}

/// The calls that were merged into this one, as they were then.
///
/// # Errors
/// When the database is away.
pub async fn merged_into(db: &Db, id: CallId) -> sqlx::Result<Vec<Call>> {
    let sql =
        "select id, provider, account, facts, conclusion, created_at from calls where merged_into = $1 order by id";
    let rows: Vec<Row> = on!(db, c => sqlx::query_as(sql).bind(id.0).fetch_all(c).await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How work on a merged call ended is how work on the other one ended, unless that knows better.
pub(super) async fn share_conclusion(tx: &mut Tx, survivor: CallId, merged: CallId) -> sqlx::Result<()> {
    let sql = "update calls set conclusion = (select m.conclusion from calls m where m.id = $2)
        where id = $1 and exists (select 1 from calls m where m.id = $2 and m.conclusion <> 'not-recorded'
            and (coalesce(calls.conclusion, 'not-recorded') = 'not-recorded'
                or (m.conclusion = 'analyzed' and calls.conclusion <> 'analyzed')))";
    within!(tx, c => sqlx::query(sql).bind(survivor.0).bind(merged.0).execute(c).await.map(drop))
}

/// The call that a provider knows by this key (of any kind), or ours with this id.
///
/// # Errors
/// When the database is away.
pub async fn find_by_key(db: &Db, provider: &ProviderId, key: &str) -> sqlx::Result<Option<Call>> {
    let sql = "select call_id from call_keys where provider = $1 and value = $2 order by kind, account limit 1";
    let found: Option<Uuid> =
        on!(db, c => sqlx::query_scalar(sql).bind(provider.as_str()).bind(key).fetch_optional(c).await)?;
    match (found.map(CallId), key.parse().ok()) {
        // It may be another provider's call by now, which this one carried.
        (Some(id), _) => find(db, id).await,
        (None, Some(id)) => Ok(find(db, id).await?.filter(|call| &call.provider == provider)),
        (None, None) => Ok(None),
    }
}

/// Everybody who has a name for the call.
///
/// # Errors
/// When the database is away.
pub async fn providers(db: &Db, id: CallId) -> sqlx::Result<Vec<ProviderId>> {
    let sql = "select distinct provider from call_keys where call_id = $1 order by provider";
    let names: Vec<String> = on!(db, c => sqlx::query_scalar(sql).bind(id.0).fetch_all(c).await)?;
    Ok(names.into_iter().map(ProviderId::from).collect())
}

/// Says whose call it is, where it was thought to be another's.
///
/// # Errors
/// When the database is away.
pub async fn save_owner(tx: &mut Tx, id: CallId, provider: &ProviderId, account: &str) -> sqlx::Result<()> {
    let sql = "update calls set provider = $2, account = $3 where id = $1 and (provider <> $2 or account <> $3)";
    within!(tx, c => sqlx::query(sql).bind(id.0).bind(provider.as_str()).bind(account).execute(c).await.map(drop))
}

/// Writes what the events of a call fold to. Returns what was there before and after.
///
/// # Errors
/// When the database is away.
pub async fn save_facts(tx: &mut Tx, id: CallId, facts: &CallFacts, now: DateTime<Utc>) -> sqlx::Result<()> {
    let sql = "update calls set facts = $2, provider_call_id = $3, status = $4, external_phone = $5, started_at = $6,
        updated_at = $7 where id = $1";
    let status = facts.status.map(|s| s.as_str());
    let phone = facts.external_phone.as_ref().map(|p| p.as_str());
    let started = facts.started_at;
    within!(tx, c => {
        let query = sqlx::query(sql).bind(id.0).bind(Json(facts)).bind(&facts.provider_call_id).bind(status);
        query.bind(phone).bind(started).bind(now).execute(c).await.map(drop)
    })
}
