//! What a record of a call holds. What is not known is left out: an update with an empty value might erase what is there
//! (facts: crm_ai §4, gap 7).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::{CallStatus, Direction, Feedback, Report, Sentiment};

/// Stands for the number of a caller who hides it, as the field is never absent in Callmind's guide.
const HIDDEN_NUMBER: &str = "anonymous";

/// A record: who called, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Under which the record is created once.
    pub call_sid: String,
    direction: &'static str,
    caller_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// How far the call has come.
    pub status: CallStatus,
    /// What came of it.
    #[serde(flatten)]
    pub result: CallResult,
}

/// The part of a record that updates can change, besides the status.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sentiment: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    topics: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    collected_data: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
}

impl Record {
    /// The state of a call as far as it is known.
    pub fn of(report: &Report, call_sid: String) -> Self {
        let facts = &report.call.facts;
        let status = match facts.status {
            Some(CallStatus::InProgress) | None if report.call.conclusion.is_some() => CallStatus::Completed,
            known => known.unwrap_or(CallStatus::InProgress),
        };
        Self {
            call_sid,
            direction: facts.direction.unwrap_or(Direction::Inbound).as_str(),
            caller_number: facts.external_phone.as_ref().map_or_else(|| HIDDEN_NUMBER.into(), ToString::to_string),
            caller_name: facts.contact.name.clone(),
            started_at: facts.started_at,
            status,
            result: if status == CallStatus::InProgress {
                CallResult::default()
            } else {
                CallResult::of(report, status)
            },
        }
    }

    /// The body of the webhook of a call's begin.
    pub fn beginning(&self, agent_id: &str) -> Value {
        let Self { call_sid, direction, caller_number, .. } = self;
        json!({"callSid": call_sid, "agentId": agent_id, "direction": direction, "callerNumber": caller_number})
    }

    /// The body of an update.
    pub fn update(&self) -> Value {
        let mut body = serde_json::to_value(&self.result).unwrap_or_default();
        body["status"] = self.status.as_str().into();
        body
    }
}

impl CallResult {
    fn of(report: &Report, status: CallStatus) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a call lasts less than 2^63 seconds"
        )]
        let whole = |seconds: f64| seconds.round().max(0.0) as u64;
        // The guide asks for a duration in every update; a call without a conversation has none to wait for.
        let none = (status != CallStatus::Completed).then_some(0);
        let judged = report.feedback.as_ref().map(|feedback| &feedback.judged);
        let data = judged.map(|j| j.collected_data.as_slice()).unwrap_or_default();
        let transcript = report.transcript.as_ref().map(|transcript| transcript.text());
        Self {
            duration: report.duration_seconds().map(whole).or(none),
            recording_url: report.recording_link.clone(),
            transcript: transcript.filter(|text| !text.is_empty()),
            sentiment: judged.and_then(|j| j.sentiment).map(Sentiment::as_str),
            topics: judged.map(|j| j.topics.clone()).unwrap_or_default(),
            summary: report.feedback.as_ref().map(summary).filter(|text| !text.is_empty()).or_else(|| missing(report)),
            collected_data: data.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
            cost: report.cost(),
        }
    }
}

/// Stands where the summary would: the record has no field for it.
fn missing(report: &Report) -> Option<String> {
    report.missing_recording().map(|why| format!("The recording is not available: {why}."))
}

/// The summary. A scorecard has no field of its own there, and its total is what people look for in lists.
fn summary(feedback: &Feedback) -> String {
    let scored = feedback.scorecard.as_ref().and_then(|scored| Some((&scored.name, scored.total?)));
    let total = scored.map(|(name, total)| format!(" Scorecard {name}: {total:.0}%.")).unwrap_or_default();
    format!("{}{total}", feedback.judged.summary)
}

#[cfg(test)]
mod tests;
