//! Calls, and how events are tied to them.

mod tie;

use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, types::Json};
pub use tie::tie;
use uuid::Uuid;

use super::{Db, PushIds, Tx, unreadable};
use crate::domain::{Call, CallFacts, CallId, Conclusion, ProviderId, QueueName};

/// A call that a step is to work on.
#[derive(Debug)]
pub struct Found {
    /// The call; where two were found to be one, the one that it became.
    pub call: Call,
    /// Its [`family`].
    pub family: Vec<CallId>,
    /// Whether a job of that queue still works on another one of them.
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
    }
    let sql = "select c.id, c.provider, c.account, c.facts, c.conclusion, c.created_at,
            exists (select 1 from calls k where k.merged_into = c.id) as has_merged
        from calls c where c.id = $1 and c.merged_into is null
        union all
        select o.id, o.provider, o.account, o.facts, o.conclusion, o.created_at, true
        from calls m join calls o on o.id = m.merged_into where m.id = $1";
    let line: Option<Line> = on!(db, c => sqlx::query_as(sql).bind(id.0).fetch_optional(c).await)?;
    let Some(Line { call, has_merged }) = line else { return Ok(None) };
    let call: Call = call.try_into()?;
    if !has_merged {
        return Ok(Some(Found { family: vec![call.id], call, is_busy: false }));
    }
    let family = family(db, call.id).await?;
    let is_busy = is_busy(db, &family[1..], queue).await?;
    Ok(Some(Found { call, family, is_busy }))
}

async fn is_busy(db: &Db, calls: &[CallId], queue: &QueueName) -> sqlx::Result<bool> {
    let running: i64 = on!(db, c => {
        let mut query = QueryBuilder::new("select count(*) from jobs where state = 'running' and queue = ");
        query.push_bind(queue.as_str()).push(" and call_id").push_ids(calls);
        query.build_query_scalar().fetch_one(c).await
    })?;
    Ok(running > 0)
}

/// A call and those that were merged into it, whose results are its own where it has none (docs/adr/0014). It is the oldest, and
/// comes first, also in the order of ids.
///
/// # Errors
/// When the database is away.
pub async fn family(db: &Db, id: CallId) -> sqlx::Result<Vec<CallId>> {
    let sql = "select id from calls where merged_into = $1";
    let merged: Vec<Uuid> = on!(db, c => sqlx::query_scalar(sql).bind(id.0).fetch_all(c).await)?;
    let mut family: Vec<CallId> = std::iter::once(id).chain(merged.into_iter().map(CallId)).collect();
    family.sort();
    Ok(family)
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
    let recorded = "update calls set conclusion = null where id = $1
        and conclusion in ('not-recorded', 'recording-missing')
        and exists (select 1 from recordings where call_id = $2)";
    within!(&mut *tx, c => sqlx::query(recorded).bind(survivor.0).bind(merged.0).execute(c).await.map(drop))?;
    let sql = "update calls set conclusion = (select m.conclusion from calls m where m.id = $2)
        where id = $1 and exists (select 1 from calls m where m.id = $2 and m.conclusion not in ('not-recorded', 'recording-missing')
            and (coalesce(calls.conclusion, 'not-recorded') in ('not-recorded', 'recording-missing')
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
