//! What is posted: `type`, `version`, `timestamp` and `data`, in the shape of Standard Webhooks. What is not known is left
//! out. docs/sinks.md is its reference; a change that readers could trip over is a new [`VERSION`].

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    domain::{Delivery, Milestone, Report},
    sinks::content_hash,
};

/// Of the shape of messages.
const VERSION: u32 = 1;
/// Bytes of the largest body. A transcript that makes it larger stays here.
const LARGEST: usize = 1 << 20;

/// A message to be posted.
pub(super) struct Message {
    id: String,
    milestone: Option<Milestone>,
    kind: String,
    timestamp: DateTime<Utc>,
    data: Value,
}

impl Message {
    /// What there is to say of a milestone that was reached.
    pub(super) fn of(report: &Report, milestone: Milestone, now: DateTime<Utc>) -> Self {
        let facts = &report.call.facts;
        let timestamp = match milestone {
            Milestone::Started => facts.started_at.unwrap_or(report.call.created_at),
            Milestone::Ended => facts.ended_at.unwrap_or(now),
            Milestone::Recorded => report.recording.as_ref().map_or(now, |recording| recording.stored_at),
            Milestone::Analyzed => now,
        };
        let data = bounded(data(report, milestone));
        let mut digest = Sha256::new().chain_update(report.call.id.0).chain_update(milestone.as_str());
        if !told_once(milestone) {
            digest.update(content_hash(&data));
        }
        let id = format!("msg_{}", hex::encode(&digest.finalize()[..16]));
        Self { id, milestone: Some(milestone), kind: format!("call.{}", milestone.as_str()), timestamp, data }
    }

    /// Says nothing; to try the URL and the secret.
    pub(super) fn ping(now: DateTime<Utc>) -> Self {
        let id = format!("msg_ping_{}", now.timestamp_millis());
        Self { id, milestone: None, kind: "ping".to_owned(), timestamp: now, data: json!({}) }
    }

    /// The same however often it is posted, so that the receiver can tell what it has.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The bytes to sign and to post.
    pub(super) fn body(&self) -> Vec<u8> {
        let Self { kind, timestamp, data, .. } = self;
        json!({"type": kind, "version": VERSION, "timestamp": timestamp, "data": data}).to_string().into_bytes()
    }

    /// Whether what was posted before makes this one superfluous. What a call's begin looked like is told once, though more
    /// of it may become known; its last message has all of that, and comes again when something changed.
    pub(super) fn is_told_by(&self, held: &Delivery) -> bool {
        self.milestone.is_some_and(told_once) || held.content_hash == content_hash(&self.data)
    }

    /// What is kept of it once it was taken.
    pub(super) fn delivery(&self) -> Delivery {
        Delivery {
            milestone: self.milestone.unwrap_or(Milestone::Started),
            content_hash: content_hash(&self.data),
            refs: json!({"webhook_id": self.id}),
        }
    }
}

fn told_once(milestone: Milestone) -> bool {
    milestone != Milestone::Analyzed
}

fn data(report: &Report, milestone: Milestone) -> Value {
    let mut data = json!({"call": call(report, milestone)});
    if milestone >= Milestone::Ended {
        data["recording"] = recording(report, milestone);
    }
    if milestone == Milestone::Analyzed {
        data["conclusion"] = json!(report.call.conclusion);
        data["transcript"] = json!(report.transcript.as_ref().map(|transcript| {
            json!({"language": transcript.language, "model": transcript.model, "turns": transcript.turns})
        }));
        data["feedback"] = feedback(report);
        data["cost"] = json!(report.cost());
    }
    known(data).unwrap_or_default()
}

fn call(report: &Report, milestone: Milestone) -> Value {
    let (call, facts) = (&report.call, &report.call.facts);
    let mut data = json!({
        "id": call.id, "provider": call.provider, "account": call.account, "provider_call_id": facts.provider_call_id,
        "direction": facts.direction, "external_phone": facts.external_phone, "internal_phone": facts.internal_phone,
        "agent": facts.agent, "contact": facts.contact, "campaign": facts.campaign, "started_at": facts.started_at,
    });
    if milestone >= Milestone::Ended {
        data["status"] = json!(facts.status);
        data["ended_at"] = json!(facts.ended_at);
        data["duration_seconds"] = json!(report.duration_seconds());
        data["voicemail"] = json!(facts.voicemail);
    }
    data
}

fn recording(report: &Report, milestone: Milestone) -> Value {
    let stored = report.recording.as_ref().filter(|_| milestone >= Milestone::Recorded);
    json!({
        "url": report.recording_link, "missing": report.absence.as_ref().and_then(|absence| absence.missing()),
        "duration_seconds": stored.map(|r| r.duration_seconds), "channels": stored.map(|r| r.channels),
        "sample_rate": stored.map(|r| r.sample_rate), "format": stored.map(|r| &r.format),
        "size_bytes": stored.map(|r| r.size_bytes), "sha256": stored.map(|r| &r.sha256),
    })
}

fn feedback(report: &Report) -> Value {
    let Some(feedback) = &report.feedback else { return Value::Null };
    let mut judged = json!(feedback.judged);
    let pairs = feedback.judged.collected_data.iter().map(|(key, value)| (key.clone(), json!(value)));
    judged["collected_data"] = Value::Object(pairs.collect());
    json!({
        "measured": feedback.measured, "judged": judged, "scorecard": feedback.scorecard,
        "model": feedback.model, "prompt_version": feedback.prompt_version, "parts": feedback.parts,
    })
}

/// Without what is not known, and without objects that hold nothing then.
fn known(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.into_iter().filter_map(|(name, value)| Some((name, known(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(items) => Some(items.into_iter().filter_map(known).collect()),
        other => Some(other),
    }
}

fn bounded(mut data: Value) -> Value {
    if data.to_string().len() > LARGEST
        && let Some(transcript) = data.get_mut("transcript").and_then(Value::as_object_mut)
    {
        transcript.remove("turns");
        transcript.insert("too_long".to_owned(), true.into());
    }
    data
}

#[cfg(test)]
mod tests;
