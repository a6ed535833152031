//! What Twilio's callbacks say (facts: telephony §2.2): of a recording, or of a call. What its API says is put into the
//! same form, so that it does not matter which way something became known.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    domain::{CallFacts, CallKey, CallStatus, Direction, EventKind, Phone},
    providers::{StartedCall, is_chat_id},
    sources::{Unusable, loose},
};

/// Names of a recording in the API and in its callback.
pub(super) const RECORDING: &[(&str, &str)] = &[
    ("account_sid", "AccountSid"),
    ("call_sid", "CallSid"),
    ("conference_sid", "ConferenceSid"),
    ("sid", "RecordingSid"),
    ("status", "RecordingStatus"),
    ("channels", "RecordingChannels"),
    ("duration", "RecordingDuration"),
    ("start_time", "RecordingStartTime"),
    ("source", "RecordingSource"),
    ("track", "RecordingTrack"),
    ("error_code", "ErrorCode"),
];
/// Names of a call in the API and in its callback. The callback's own `Duration` counts minutes.
pub(super) const CALL: &[(&str, &str)] = &[
    ("account_sid", "AccountSid"),
    ("sid", "CallSid"),
    ("status", "CallStatus"),
    ("direction", "Direction"),
    ("from", "From"),
    ("to", "To"),
    ("start_time", "StartTime"),
    ("end_time", "EndTime"),
    ("duration", "CallDuration"),
    ("answered_by", "AnsweredBy"),
    ("parent_call_sid", "ParentCallSid"),
];

/// Ours, of calls that were made known to us: the name that whoever started it has for it, and whom it called.
const CHAT: &str = "TapedeckChatId";
const CALLED: &str = "TapedeckCalledNumber";

/// The fields of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a form, or a JSON object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unusable> {
        let malformed = Unusable::Malformed { expected: "a form or a JSON object" };
        let all: BTreeMap<_, _> = if body.trim_ascii_start().starts_with(b"{") {
            let object: BTreeMap<String, Value> = serde_json::from_slice(body).map_err(|_| malformed.clone())?;
            object.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
        } else {
            form_urlencoded::parse(body).into_owned().collect()
        };
        let all =
            all.into_iter().map(|(name, value)| (name, loose::shown(&value))).filter(|(_, value)| !value.is_empty());
        let params = Self(all.collect());
        if params.0.is_empty() { Err(malformed) } else { Ok(params) }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// An id that is safe in a path.
    pub(super) fn id(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|id| is_id(id))
    }

    fn seconds(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|seconds: &f64| (0.0..1e7).contains(seconds))
    }

    fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.text(name)?;
        let at = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
        at.ok().map(|at| at.to_utc()).filter(loose::is_plausible)
    }
}

/// A resource of the API as the callback that would have told of it.
pub(super) fn as_callback(resource: &Value, names: &[(&str, &str)]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, callback_name) in names {
        if let Some(text) = text(&resource[*name]) {
            form.append_pair(callback_name, &text);
        }
    }
    form.finish().into_bytes()
}

/// A call that was started elsewhere and made known to us, in the form of a callback.
pub(super) fn registered(account: &str, sid: &str, call: &StartedCall) -> Vec<u8> {
    let told = [("AccountSid", account), ("CallSid", sid), ("CallStatus", "initiated")];
    let (chat, called) = (call.chat_id.as_deref(), call.called_number.as_ref().map(Phone::as_str));
    let more = [(CHAT, chat), (CALLED, called)].into_iter().filter_map(|(name, value)| Some((name, value?)));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(told.into_iter().chain(more)).finish().into_bytes()
}

/// A form as an object.
pub(super) fn fields(form: &str) -> Value {
    form_urlencoded::parse(form.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether the text may stand in a path: a SID, or the id of a server with the same API (Telnyx: `v3:…`).
pub(super) fn is_id(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':');
    (1..=128).contains(&text.len()) && text.bytes().all(fine)
}

/// Whether the text is an id of Twilio's own, such as `RE` and 32 hex digits.
pub(super) fn is_sid(prefix: &str, text: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// What is said of a recording. The verb `<Record>` tells of one without a status, before it can be fetched.
fn recording_status(params: &Params) -> Option<&str> {
    params
        .text("RecordingStatus")
        .or_else(|| params.id("RecordingSid").and(params.text("RecordingUrl")).map(|_| "action"))
}

/// What the callback is.
pub(super) fn kind(params: &Params) -> EventKind {
    if let Some(status) = recording_status(params) {
        return match status {
            "completed" | "action" => EventKind::RecordingAvailable,
            "in-progress" | "paused" | "stopped" | "processing" => EventKind::CallStarted,
            "absent" | "failed" => EventKind::CallEnded,
            _ => EventKind::Other("recording-deleted".to_owned()),
        };
    }
    match call_status(params) {
        Some(CallStatus::InProgress) => EventKind::CallStarted,
        Some(_) => EventKind::CallEnded,
        None => EventKind::other(),
    }
}

/// What it is called so that it counts once, however it becomes known: callbacks are repeated, and the API tells the same.
pub(super) fn dedupe_key(params: &Params, token: Option<&str>, digest: &str) -> String {
    match (recording_status(params), params.id("RecordingSid"), params.id("CallSid"), params.text("CallStatus")) {
        (Some(status), Some(recording), ..) => format!("recording:{recording}:{status}"),
        (None, _, Some(call), Some(status)) => format!("call:{call}:{status}"),
        _ => token.map_or_else(|| format!("content:{digest}"), |token| format!("token:{token}")),
    }
}

/// What the callback says of its call; depends on the arguments alone.
pub(super) fn facts(params: &Params) -> CallFacts {
    let call_sid = params.id("CallSid");
    let id = call_sid.or_else(|| params.id("ConferenceSid"));
    let key =
        |kind: &str, value: Option<&str>| value.map(|value| CallKey { kind: kind.to_owned(), value: value.to_owned() });
    let chat = params.text(CHAT).filter(|chat| is_chat_id(chat));
    let recording = params.id("RecordingSid");
    let keys = [key("id", id), key("call_sid", call_sid), key("recording_sid", recording), key("chat_id", chat)];
    let facts = CallFacts {
        keys: keys.into_iter().flatten().collect(),
        provider_call_id: id.map(str::to_owned),
        ..parties(params)
    };
    match recording_status(params) {
        Some(status) => of_recording(params, status, facts),
        None => of_call(params, facts),
    }
}

/// A recording that is complete says that the call is over: almost always it is, and nothing else may ever say so.
fn of_recording(params: &Params, status: &str, facts: CallFacts) -> CallFacts {
    let started_at = params.time("RecordingStartTime");
    let seconds = params.seconds("RecordingDuration");
    let said = match status {
        "completed" | "action" => Some(CallStatus::Completed),
        "in-progress" | "paused" => Some(CallStatus::InProgress),
        "absent" | "failed" => Some(CallStatus::Completed),
        _ => None,
    };
    let known = matches!(status, "completed" | "action");
    let ended_at = started_at.zip(seconds).filter(|_| known);
    CallFacts {
        status: said,
        started_at,
        ended_at: ended_at.and_then(|(at, seconds)| at.checked_add_signed(whole(seconds))),
        duration_seconds: seconds,
        recording_seconds: seconds,
        recorded: match status {
            "absent" | "failed" => Some(false),
            _ => known.then_some(true),
        },
        recording_absence: matches!(status, "absent" | "failed").then(|| absence(params, status)),
        recording_announced: known,
        ..facts
    }
}

fn of_call(params: &Params, facts: CallFacts) -> CallFacts {
    let status = call_status(params);
    let machine = params.text("AnsweredBy").is_some_and(|by| by.starts_with("machine") || by == "fax");
    CallFacts {
        status,
        started_at: params.time("StartTime"),
        ended_at: params.time("EndTime"),
        duration_seconds: params.seconds("CallDuration").filter(|_| status == Some(CallStatus::Completed)),
        voicemail: machine,
        ..facts
    }
}

/// Who spoke to whom. A call that came in goes from the other party to us, every other one the other way round.
fn parties(params: &Params) -> CallFacts {
    let phone = |name: &str| params.text(name).and_then(Phone::parse);
    let Some(direction) = params.text("Direction") else {
        return CallFacts { external_phone: phone(CALLED), ..CallFacts::default() };
    };
    let (from, to) = (phone("From"), phone("To"));
    let (direction, external_phone, internal_phone) = match direction {
        "inbound" => (Direction::Inbound, from, to),
        _ => (Direction::Outbound, to, from),
    };
    CallFacts { direction: Some(direction), external_phone, internal_phone, ..CallFacts::default() }
}

fn call_status(params: &Params) -> Option<CallStatus> {
    match params.text("CallStatus")? {
        "queued" | "initiated" | "ringing" | "in-progress" | "answered" => Some(CallStatus::InProgress),
        "completed" => Some(CallStatus::Completed),
        "busy" | "no-answer" | "canceled" => Some(CallStatus::Missed),
        "failed" => Some(CallStatus::Failed),
        _ => None,
    }
}

/// Why there is no recording, in Twilio's code and in words.
fn absence(params: &Params, status: &str) -> String {
    match params.text("ErrorCode") {
        Some("16101") => "16101: too short".to_owned(),
        Some("16102") => "16102: silent".to_owned(),
        Some(code) if code != "0" && is_id(code) => format!("{status}, error {code}"),
        _ => status.to_owned(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded when it was read")]
fn whole(seconds: f64) -> TimeDelta {
    TimeDelta::seconds(seconds.round() as i64)
}
