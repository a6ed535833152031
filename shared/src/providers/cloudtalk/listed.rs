//! Calls as the API's list has them, in the form of the webhooks that would have told of them: they go the same way, and
//! what came already counts once.

use std::time::Duration;

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CloudTalk, NAME, api::Api};
use crate::{
    domain::{Call, EventKind, NewEvent, Phone, ProviderId, StepError},
    http::ClientError,
    sources::fields::Fields,
};

/// A call that webhooks named by its UUID alone is looked for among the calls of its number that began so long before.
/// Longer than any call, and than any time zone is off.
const BACK: TimeDelta = TimeDelta::hours(24);
/// Its first webhook came so long at most before it began or after it ended: `Call → Ended` waits for the wrap-up.
const EARLY: TimeDelta = TimeDelta::minutes(1);
const LATE: TimeDelta = TimeDelta::minutes(30);
/// The same where nothing but the time tells which call it was.
const HARDLY_LATE: TimeDelta = TimeDelta::minutes(3);
/// After that long it will not be listed any more.
const PATIENCE: TimeDelta = TimeDelta::hours(2);
/// Rows whose UUID is asked for, the likeliest first.
const ASKED: usize = 5;

/// One row, as far as it tells which call it is.
struct Row<'r> {
    id: String,
    line: Option<Phone>,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
    answered: bool,
    row: &'r Value,
}

impl CloudTalk {
    /// What a page of the list says of calls that ended before `before`; younger ones their webhooks may still tell of.
    pub(super) fn events_of(&self, rows: &[Value], before: DateTime<Utc>) -> Vec<NewEvent> {
        let ended = rows.iter().filter_map(Row::read).filter(|row| row.ended <= before);
        ended.map(|row| self.event(EventKind::CallEnded, &row.words(None))).collect()
    }

    /// The id of a call that webhooks named by its UUID alone, as events that name both.
    pub(super) async fn resolve(&self, api: &Api, call: &Call, now: DateTime<Utc>) -> Result<Vec<NewEvent>, StepError> {
        let (Some(uuid), Some(phone)) = (call.facts.key("uuid"), &call.facts.external_phone) else {
            return Ok(Vec::new());
        };
        let rows = api.calls_with(phone, call.created_at - BACK).await?;
        let mut near: Vec<Row> = rows.iter().filter_map(Row::read).filter(|row| row.may_be(call)).collect();
        near.sort_by_key(|row| row.distance(call.created_at));
        let Some(row) = meant(api, near, uuid, call.facts.ended_at.unwrap_or(call.created_at)).await? else {
            if now - call.created_at > PATIENCE {
                return Ok(Vec::new());
            }
            let age = (now - call.created_at).to_std().unwrap_or_default();
            let after = (age / 4).clamp(Duration::from_secs(10), Duration::from_secs(3600));
            return Err(StepError::snooze("call-not-listed", after, anyhow!("{NAME} does not list the call yet")));
        };
        let words = row.words(Some(uuid));
        let mut events = vec![self.event(EventKind::CallEnded, &words)];
        if words["recording"] == true {
            // Wakes a fetch that had no id to ask for.
            let announced = json!({"call_id": row.id, "call_uuid": uuid, "recording": true});
            events.push(self.event(EventKind::RecordingAvailable, &announced));
        }
        Ok(events)
    }

    fn event(&self, kind: EventKind, words: &Value) -> NewEvent {
        let body = words.to_string().into_bytes();
        let digest = hex::encode(Sha256::digest(&body));
        let dedupe_key = format!("{}:{}:{digest}", kind.as_str(), words["call_id"].as_str().unwrap_or("-"));
        NewEvent { provider: ProviderId::new(NAME), account: self.account.clone(), kind, dedupe_key, body }
    }
}

/// The row with that UUID. Where CloudTalk does not say which has which, the only one that was going on at that time: who
/// called twice in a row must not become one call.
async fn meant<'r>(
    api: &Api,
    near: Vec<Row<'r>>,
    uuid: &str,
    at: DateTime<Utc>,
) -> Result<Option<Row<'r>>, ClientError> {
    let mut silent = Vec::new();
    for row in near.into_iter().take(ASKED) {
        match api.uuid_of(&row.id).await? {
            Some(theirs) if theirs.eq_ignore_ascii_case(uuid) => return Ok(Some(row)),
            Some(_) => {}
            None => silent.extend(Some(row).filter(|row| at <= row.ended + HARDLY_LATE)),
        }
    }
    Ok(silent.pop().filter(|_| silent.is_empty()))
}

impl<'r> Row<'r> {
    /// `None` while the call goes on.
    fn read(row: &'r Value) -> Option<Self> {
        let cdr = Fields::parse(row["Cdr"].to_string().as_bytes()).ok()?;
        let (began, ended) = (cdr.time(&["startedat"])?, cdr.time(&["endedat"])?);
        let (id, line) = (cdr.key(&["id"])?, cdr.phone(&["publicinternal"]));
        Some(Self { id, line, began, ended, answered: cdr.time(&["answeredat"]).is_some(), row })
    }

    fn distance(&self, at: DateTime<Utc>) -> TimeDelta {
        (self.began - at).max(at - self.ended).max(TimeDelta::zero())
    }

    fn may_be(&self, call: &Call) -> bool {
        let at = call.created_at;
        let in_time = self.began - EARLY <= at && at <= self.ended + LATE;
        in_time && self.line.as_ref().zip(call.facts.internal_phone.as_ref()).is_none_or(|(a, b)| a == b)
    }

    /// In the words of a webhook. No more than we read, so that a tag that is added later is no news.
    fn words(&self, uuid: Option<&str>) -> Value {
        let Self { id, row, .. } = self;
        let (cdr, contact, agent) = (&row["Cdr"], &row["Contact"], &row["Agent"]);
        let status = if self.answered { "answered" } else { "missed" };
        json!({
            "asked_for": true, "call_id": id, "call_uuid": uuid, "direction": cdr["type"], "call_status": status,
            "external_number": cdr["public_external"], "internal_number": cdr["public_internal"],
            "talking_time": cdr["talking_time"], "recording": cdr["recorded"], "is_voicemail": cdr["is_voicemail"],
            "started_at": cdr["started_at"], "ended_at": cdr["ended_at"],
            "contact_id": contact["id"], "contact_name": contact["name"], "contact_email": contact["contact_emails"][0],
            "agent_id": agent["id"], "agent_name": agent["fullname"], "agent_email": agent["email"],
        })
    }
}
