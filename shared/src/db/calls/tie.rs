//! Ties an event to its call: by the provider's keys, by the telephone call that several providers name, else by phone
//! number and time.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    super::{Tx, events, jobs},
    share_conclusion,
};
use crate::domain::{CallFacts, CallId, CallKey, Event, NewJob, Phone, Step, Wake};

/// An event with no common key belongs to a call of the same number whose first event came at most this long before or
/// after it. CloudTalk repeats webhooks up to 64 minutes later (facts: telephony §1.1).
const WINDOW: TimeDelta = TimeDelta::hours(2);
/// The kind of the key that is the provider's own id.
const ID: &str = "id";
/// The kind of the key that names the telephone call itself: whoever says it, it is the same call.
const LINE: &str = "call_sid";

/// Finds or makes the call of `event`, ties the event to it, and returns the call with all its events, this one included.
/// Runs in the caller's transaction; two events of one call wait for each other.
///
/// # Errors
/// When the database is away, or when another worker made or merged the same call at this moment: try again.
pub async fn tie(
    tx: &mut Tx,
    event: &Event,
    facts: &CallFacts,
    now: DateTime<Utc>,
) -> sqlx::Result<(CallId, Vec<Event>)> {
    tx.lock(bucket(event, facts)).await?;
    if let Some(line) = facts.key(LINE) {
        tx.lock(number((LINE, line))).await?;
    }
    let (mut found, mut keys) = (Vec::new(), Vec::new());
    for key in &facts.keys {
        let mut free = true;
        for id in by_key(tx, event, key).await? {
            // A chat may go on in a second call: it stays the name of the first.
            if key.kind != ID && is_another(tx, event, facts, id).await? {
                free = false;
            } else if !found.contains(&id) {
                found.push(id);
            }
        }
        keys.extend(free.then_some(key));
    }
    if found.is_empty()
        && let Some(phone) = &facts.external_phone
    {
        found.extend(by_phone(tx, event, phone, facts).await?);
    }
    let (call, known) = match found.split_first() {
        Some((first, others)) => {
            hold(tx, &found).await?;
            (merge(tx, *first, others, now).await?, true)
        }
        None => (create(tx, event, facts, now).await?, false),
    };
    for key in keys {
        add_key(tx, event, key, call).await?;
    }
    let sql = "update events set call_id = $2 where id = $1";
    within!(tx, c => sqlx::query(sql).bind(event.id.0).bind(call.0).execute(c).await.map(drop))?;
    let all = if known { events::of_call(tx, call).await? } else { vec![event.clone()] };
    Ok((call, all))
}

/// Nobody else ties an event to these calls until this transaction ends, nor merges them: whoever does so at the same moment
/// reads their events without this one. SQLite has one writer anyway.
async fn hold(tx: &mut Tx, calls: &[CallId]) -> sqlx::Result<()> {
    if calls.len() > 1 {
        // A merge changes jobs, too, and those come first, as for whoever settles.
        jobs::lock_of_calls(tx, calls).await?;
    }
    let Tx::Postgres(tx) = tx else { return Ok(()) };
    let ids: Vec<Uuid> = calls.iter().map(|id| id.0).collect();
    let sql = "select id from calls where id = any($1) and merged_into is null order by id for no key update";
    let held: Vec<Uuid> = sqlx::query_scalar(sql).bind(&ids).fetch_all(&mut **tx).await?;
    match held.len() == ids.len() {
        true => Ok(()),
        false => Err(sqlx::Error::Protocol("another worker merged this call into another".into())),
    }
}

fn bucket(event: &Event, facts: &CallFacts) -> i64 {
    let whose = (event.provider.as_str(), event.account.as_str());
    match &facts.external_phone {
        Some(phone) => number((whose, phone)),
        None => number((whose, &facts.keys)),
    }
}

fn number(what: impl Hash) -> i64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish().cast_signed()
}

/// One call; of a telephone call that several providers know before they were found to speak of the same, several.
async fn by_key(tx: &mut Tx, event: &Event, key: &CallKey) -> sqlx::Result<Vec<CallId>> {
    let ids: Vec<Uuid> = if key.kind == LINE {
        let sql = "select distinct call_id from call_keys where value = $1 and kind = 'call_sid' order by call_id";
        within!(tx, c => sqlx::query_scalar(sql).bind(&key.value).fetch_all(c).await)?
    } else {
        let sql = "select call_id from call_keys where provider = $1 and value = $2 and kind = $3 and account = $4";
        within!(tx, c => {
            let query = sqlx::query_scalar(sql).bind(event.provider.as_str()).bind(&key.value);
            query.bind(&key.kind).bind(&event.account).fetch_all(c).await
        })?
    };
    Ok(ids.into_iter().map(CallId).collect())
}

/// Whether the provider knows that call by another id than the event's, or it is another telephone call: then they are two,
/// whatever else they have in common.
async fn is_another(tx: &mut Tx, event: &Event, facts: &CallFacts, call: CallId) -> sqlx::Result<bool> {
    if let Some(line) = facts.key(LINE) {
        let sql = "select value from call_keys where call_id = $1 and kind = 'call_sid'";
        let lines: Vec<String> = within!(tx, c => sqlx::query_scalar(sql).bind(call.0).fetch_all(c).await)?;
        if !lines.is_empty() && lines.iter().all(|other| other != line) {
            return Ok(true);
        }
    }
    let Some(id) = facts.key(ID) else { return Ok(false) };
    let sql = "select count(*) from call_keys where call_id = $1 and provider = $2 and account = $3 and kind = $4
        and value <> $5";
    let others: i64 = within!(tx, c => {
        let query = sqlx::query_scalar(sql).bind(call.0).bind(event.provider.as_str()).bind(&event.account);
        query.bind(ID).bind(id).fetch_one(c).await
    })?;
    Ok(others > 0)
}

/// The call nearest in time with this number that has no key of a kind that the event has too (with another value). Audio that
/// comes with the event goes to one that has none yet, if there is one.
async fn by_phone(tx: &mut Tx, event: &Event, phone: &Phone, facts: &CallFacts) -> sqlx::Result<Option<CallId>> {
    // What we asked for comes long after its call: then what counts is when it says that the call ended.
    let ended = facts.ended_at.unwrap_or(event.received_at);
    let distance = |at: DateTime<Utc>| (at - event.received_at).abs().min((at - ended).abs());
    // Time is asked for so that only the index of numbers can answer: a plan made while the table was small may take any.
    let sql = "select c.id, c.facts, c.created_at, exists (select 1 from recordings r where r.call_id = c.id)
            or exists (select 1 from calls m join recordings r on r.call_id = m.id where m.merged_into = c.id)
        from calls c where c.provider = $1 and c.account = $2 and c.external_phone = $3
        and case when c.created_at between $4 and $5 then c.merged_into is null else false end";
    let (from, to) = (event.received_at.min(ended) - WINDOW, event.received_at.max(ended) + WINDOW);
    let near: Vec<(Uuid, Json<CallFacts>, DateTime<Utc>, bool)> = within!(tx, c => {
        let query = sqlx::query_as(sql).bind(event.provider.as_str()).bind(&event.account).bind(phone.as_str());
        query.bind(from).bind(to).fetch_all(c).await
    })?;
    let fits = |theirs: &CallFacts| {
        let same_line = match (&theirs.internal_phone, &facts.internal_phone) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        same_line && !theirs.keys.iter().any(|k| facts.keys.iter().any(|mine| mine.kind == k.kind))
    };
    let has_audio =
        |theirs: &CallFacts, recorded: bool| facts.received.is_some() && (recorded || theirs.received.is_some());
    let fitting = near.into_iter().filter(|(_, Json(theirs), at, _)| distance(*at) <= WINDOW && fits(theirs));
    let nearest =
        fitting.min_by_key(|(id, Json(theirs), at, recorded)| (has_audio(theirs, *recorded), distance(*at), *id));
    Ok(nearest.map(|(id, ..)| CallId(id)))
}

async fn create(tx: &mut Tx, event: &Event, facts: &CallFacts, now: DateTime<Utc>) -> sqlx::Result<CallId> {
    let id = CallId::new();
    let sql =
        "insert into calls (id, provider, account, facts, created_at, updated_at) values ($1, $2, $3, $4, $5, $6)";
    within!(tx, c => {
        let query = sqlx::query(sql).bind(id.0).bind(event.provider.as_str()).bind(&event.account);
        query.bind(Json(facts)).bind(event.received_at).bind(now).execute(c).await.map(drop)
    })?;
    Ok(id)
}

async fn add_key(tx: &mut Tx, event: &Event, key: &CallKey, call: CallId) -> sqlx::Result<()> {
    // Taken by another call meanwhile: the unique violation fails this transaction, and the next try finds that call.
    let sql = "insert into call_keys (provider, value, kind, account, call_id) values ($1, $2, $3, $4, $5)
        on conflict (provider, value, kind, account) do update set call_id = excluded.call_id
        where call_keys.call_id = excluded.call_id returning call_id";
    let mine: Option<Uuid> = within!(tx, c => {
        let query = sqlx::query_scalar(sql).bind(event.provider.as_str()).bind(&key.value).bind(&key.kind);
        query.bind(&event.account).bind(call.0).fetch_optional(c).await
    })?;
    mine.map(drop).ok_or_else(|| sqlx::Error::Protocol("another worker tied this key to another call".into()))
}

/// Several calls turn out to be one: the oldest stays. It gets the others' events, keys and work; of their results it uses
/// those that it does not have (docs/adr/0014), so that nothing is bought or written twice.
async fn merge(tx: &mut Tx, first: CallId, others: &[CallId], now: DateTime<Utc>) -> sqlx::Result<CallId> {
    let oldest = others.iter().copied().fold(first, Ord::min);
    for other in others.iter().copied().chain([first]).filter(|id| *id != oldest) {
        let work = take_over(tx, oldest, other).await?;
        jobs::add(tx, &work, now, now).await?;
        for sql in MERGE {
            within!(tx, c => sqlx::query(sql).bind(oldest.0).bind(other.0).execute(c).await.map(drop))?;
        }
        // Once its row is changed: whoever settles a conclusion at this moment has come before, or finds that it is merged.
        share_conclusion(tx, oldest, other).await?;
    }
    Ok(oldest)
}

/// Jobs that are not finished find out by themselves that their call is another one. What the others brought about is looked
/// at anew.
async fn take_over(tx: &mut Tx, oldest: CallId, other: CallId) -> sqlx::Result<Vec<(NewJob, Option<String>)>> {
    let sql = "select step, sink, traceparent from jobs where call_id = $1";
    let rows: Vec<(String, Option<String>, Option<String>)> =
        within!(tx, c => sqlx::query_as(sql).bind(other.0).fetch_all(c).await)?;
    let job = |step: String, sink: Option<String>| match (step.parse().ok()?, sink) {
        (Step::Fetch, _) => Some(NewJob::step(Step::Fetch, oldest, Wake::Yes)),
        (Step::Sync, Some(sink)) => Some(NewJob::sync(oldest, sink.into())),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(|(step, sink, trace)| Some((job(step, sink)?, trace))).collect())
}

const MERGE: [&str; 4] = [
    "update calls set merged_into = $1 where id = $2",
    "update calls set merged_into = $1 where merged_into = $2",
    "update events set call_id = $1 where call_id = $2",
    "update call_keys set call_id = $1 where call_id = $2",
];
