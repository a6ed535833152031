//! What an ElevenLabs webhook says (facts: telephony §3.2). Fields come and go with their releases, so all but the
//! conversation's id may be missing.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{
    domain::{
        Agent, CallFacts, CallKey, CallStatus, Contact, Direction, EventKind, Phone, Recording, Speaker, Transcript,
        Turn,
    },
    providers::is_chat_id,
    sources::{Unusable, loose},
};

/// The conversation with its transcript and analysis; the same as the API's, under `data`.
pub(super) const TRANSCRIPTION: &str = "post_call_transcription";
/// The audio, and nothing but two ids.
pub(super) const AUDIO: &str = "post_call_audio";
/// A call out that nobody took.
pub(super) const FAILURE: &str = "call_initiation_failure";
/// Ours: a call that was started through our own API, or is registered there.
pub(super) const STARTED: &str = "tapedeck_call_started";

/// Ours: a row of the API's list of conversations.
pub(super) const LISTED: &str = "tapedeck_call_listed";

const PHONE_CALL: &str = "/data/metadata/phone_call";
const VARIABLES: &str = "/data/conversation_initiation_client_data/dynamic_variables";
/// Longest id that is believed.
const LONGEST: usize = 128;

/// A webhook's body.
pub(super) struct Post(Value);

impl Post {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unusable> {
        match serde_json::from_slice(body) {
            Ok(body @ Value::Object(_)) => Ok(Self(body)),
            _ => Err(Unusable::Malformed { expected: "a JSON object" }),
        }
    }

    /// What it is called by the sender.
    pub(super) fn name(&self) -> Result<String, Unusable> {
        let name = self.text("/type").ok_or_else(|| missing("type"))?;
        Ok(name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(64).collect())
    }

    pub(super) fn kind(&self) -> Result<EventKind, Unusable> {
        let name = self.name()?;
        Ok(match name.as_str() {
            TRANSCRIPTION | FAILURE | LISTED => EventKind::CallEnded,
            AUDIO => EventKind::RecordingAvailable,
            STARTED => EventKind::CallStarted,
            _ => EventKind::Other(name),
        })
    }

    /// The conversation's id.
    pub(super) fn id(&self) -> Result<String, Unusable> {
        let id = self.text("/data/conversation_id").filter(|id| is_id(id));
        id.ok_or_else(|| missing("data.conversation_id"))
    }

    /// What it says of its call.
    pub(super) fn facts(&self) -> Result<CallFacts, Unusable> {
        Ok(match self.name()?.as_str() {
            TRANSCRIPTION => CallFacts { status: self.concluded(), words: self.transcript().is_some(), ..self.said()? },
            AUDIO => CallFacts {
                status: Some(CallStatus::Completed),
                recorded: Some(true),
                recording_announced: true,
                received: self.received(),
                ..self.said()?
            },
            FAILURE => self.failed()?,
            LISTED => self.listed()?,
            STARTED => CallFacts { status: Some(CallStatus::InProgress), ..self.registered()? },
            _ => return Err(Unusable::Field { field: "type".to_owned(), detail: "is about no call".to_owned() }),
        })
    }

    /// The agent's own words and what it understood: with the times at which turns begin, and no others.
    pub(super) fn transcript(&self) -> Option<Transcript> {
        let duration = self.number("/data/metadata/call_duration_secs");
        let mut turns: Vec<Turn> = self.0.pointer("/data/transcript")?.as_array()?.iter().filter_map(turn).collect();
        for at in 0..turns.len() {
            let next = turns.get(at + 1).map(|turn| turn.start).or(duration);
            turns[at].end = next.unwrap_or(turns[at].start).max(turns[at].start);
        }
        let language = self.text("/data/metadata/main_language");
        let model = "elevenlabs".to_owned();
        let heard = Transcript {
            turns,
            language,
            model,
            timed: false,
            billed_seconds: 0.0,
            cost: Some(0.0),
            ..Transcript::default()
        };
        (!heard.turns.is_empty()).then_some(heard)
    }

    /// What the conversation's model and the audio's few fields have in common.
    fn said(&self) -> Result<CallFacts, Unusable> {
        let id = self.id()?;
        let started_at = self.time("/data/metadata/start_time_unix_secs");
        let duration_seconds = self.number("/data/metadata/call_duration_secs").filter(|seconds| *seconds >= 0.0);
        let milliseconds = duration_seconds.map(|seconds| TimeDelta::milliseconds((seconds * 1000.0) as i64));
        let direction = self.direction();
        Ok(CallFacts {
            keys: self.keys(Some(&id), &["/data/metadata/phone_call/call_sid"]),
            provider_call_id: Some(id),
            direction,
            external_phone: self.external(direction),
            internal_phone: self.phone(&[&format!("{PHONE_CALL}/agent_number")]),
            agent: self.agent(),
            contact: Contact { id: self.text("/data/user_id"), ..Contact::default() },
            started_at,
            ended_at: started_at.zip(milliseconds).and_then(|(at, length)| at.checked_add_signed(length)),
            duration_seconds,
            recorded: self.0.pointer("/data/has_audio").and_then(Value::as_bool),
            ..CallFacts::default()
        })
    }

    /// They call a call failed that nobody took, too.
    fn concluded(&self) -> Option<CallStatus> {
        let failed = self.text("/data/status").is_some_and(|status| status == "failed");
        let length =
            ["/data/metadata/call_duration_secs", "/data/call_duration_secs"].iter().find_map(|at| self.number(at));
        Some(match (failed, length) {
            (true, Some(0.0)) => CallStatus::Missed,
            (true, _) => CallStatus::Failed,
            (false, _) => CallStatus::Completed,
        })
    }

    /// Little is said in a list: when the call ended is left for the conversation itself to say.
    fn listed(&self) -> Result<CallFacts, Unusable> {
        let id = self.id()?;
        Ok(CallFacts {
            keys: self.keys(Some(&id), &[]),
            provider_call_id: Some(id),
            direction: self.direction(),
            status: self.concluded(),
            agent: self.agent(),
            started_at: self.time("/data/start_time_unix_secs"),
            duration_seconds: self.number("/data/call_duration_secs").filter(|seconds| *seconds >= 0.0),
            ..CallFacts::default()
        })
    }

    /// A call out that did not come about: the telephone network's own report is inside.
    fn failed(&self) -> Result<CallFacts, Unusable> {
        let id = self.id()?;
        let body = |name: &str| format!("/data/metadata/body/{name}");
        let status = match self.text("/data/failure_reason").unwrap_or_default().replace('_', "-").as_str() {
            "busy" | "no-answer" => CallStatus::Missed,
            _ => CallStatus::Failed,
        };
        let told = self.text(&body("Timestamp")).and_then(|text| DateTime::parse_from_rfc2822(&text).ok());
        let at = told.map(|at| at.to_utc()).filter(loose::is_plausible).or_else(|| self.time("/event_timestamp"));
        Ok(CallFacts {
            keys: self.keys(Some(&id), &[&body("CallSid"), &body("call_sid")]),
            provider_call_id: Some(id),
            direction: Some(Direction::Outbound),
            status: Some(status),
            external_phone: self.phone(&[&body("To"), &body("to_number"), "/data/called_number"]),
            internal_phone: self.phone(&[&body("From"), &body("from_number")]),
            agent: self.agent(),
            started_at: at,
            ended_at: at,
            duration_seconds: Some(0.0),
            recorded: Some(false),
            ..CallFacts::default()
        })
    }

    /// A call that came to us through our own API.
    fn registered(&self) -> Result<CallFacts, Unusable> {
        let id = self.id().ok();
        let keys = self.keys(id.as_deref(), &["/data/call_sid"]);
        if keys.is_empty() {
            return Err(missing("call_sid"));
        }
        Ok(CallFacts {
            keys,
            provider_call_id: id,
            direction: Some(Direction::Outbound),
            external_phone: self.phone(&["/data/called_number"]),
            agent: self.agent(),
            started_at: self.time("/event_timestamp"),
            ..CallFacts::default()
        })
    }

    /// Under which names the call is known: the conversation, the telephone call, and the chat of whoever started it.
    fn keys(&self, id: Option<&str>, call_sid: &[&str]) -> Vec<CallKey> {
        let key = |kind: &str, value: String| CallKey { kind: kind.to_owned(), value };
        let variable = |name: &str| format!("{VARIABLES}/{name}");
        let sid = call_sid.iter().find_map(|at| self.text(at)).or_else(|| self.text(&variable("system__call_sid")));
        let chats = [variable("chat_id"), "/data/chat_id".to_owned(), "/chat_id".to_owned()];
        let chat = chats.iter().find_map(|at| self.text(at)).filter(|chat| is_chat_id(chat));
        let id = id.map(|id| key("id", id.to_owned()));
        let sid = sid.filter(|sid| is_id(sid)).map(|sid| key("call_sid", sid));
        [id, sid, chat.map(|chat| key("chat_id", chat))].into_iter().flatten().collect()
    }

    fn direction(&self) -> Option<Direction> {
        let told = self.text(&format!("{PHONE_CALL}/direction")).or_else(|| self.text("/data/direction"));
        match told?.as_str() {
            "inbound" => Some(Direction::Inbound),
            "outbound" => Some(Direction::Outbound),
            _ => None,
        }
    }

    fn external(&self, direction: Option<Direction>) -> Option<Phone> {
        let variable = match direction {
            Some(Direction::Inbound) => "system__caller_id",
            _ => "system__called_number",
        };
        let known = self.phone(&[&format!("{PHONE_CALL}/external_number")]);
        let told = || direction.and_then(|_| self.phone(&[&format!("{VARIABLES}/{variable}")]));
        known.or_else(told).or_else(|| self.phone(&["/data/called_number", "/called_number"]))
    }

    fn agent(&self) -> Agent {
        Agent { id: self.text("/data/agent_id"), name: self.text("/data/agent_name"), email: None }
    }

    /// What [`super::ElevenLabs::with_recording`] put in the place of the audio.
    fn received(&self) -> Option<Recording> {
        serde_json::from_value(self.0.pointer("/data/full_audio")?.clone()).ok()
    }

    /// Only we may say where audio is kept.
    pub(super) fn refuse_forged_audio(&self) -> Result<(), Unusable> {
        match self.0.pointer("/data/full_audio") {
            None | Some(Value::Null | Value::String(_)) => Ok(()),
            Some(_) => Err(Unusable::Field { field: "data.full_audio".to_owned(), detail: "not a string".to_owned() }),
        }
    }

    /// What stands there.
    pub(super) fn at(&self, at: &str) -> Option<&Value> {
        self.0.pointer(at)
    }

    fn phone(&self, places: &[&str]) -> Option<Phone> {
        places.iter().find_map(|at| Phone::parse(&self.text(at)?))
    }

    /// Text, or a number as text.
    pub(super) fn text(&self, at: &str) -> Option<String> {
        let text = match self.at(at)? {
            Value::String(text) => loose::shown(text),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// A number, or one in text: their documents and their webhooks do not agree.
    fn number(&self, at: &str) -> Option<f64> {
        self.text(at)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    fn time(&self, at: &str) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.number(at)? as i64, 0).filter(loose::is_plausible)
    }
}

fn turn(turn: &Value) -> Option<Turn> {
    let text = loose::shown(turn.get("message")?.as_str()?);
    let start = turn.get("time_in_call_secs").and_then(Value::as_f64).unwrap_or_default().max(0.0);
    let speaker = match turn.get("role").and_then(Value::as_str) {
        Some("agent") => Speaker::Agent,
        Some("user") => Speaker::Caller,
        _ => Speaker::Unknown,
    };
    (!text.is_empty()).then_some(Turn { start, end: start, speaker, text })
}

fn missing(field: &str) -> Unusable {
    Unusable::Field { field: field.to_owned(), detail: "missing, or not a name".to_owned() }
}

/// Fit for a key, and safe in a path.
pub(super) fn is_id(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=LONGEST).contains(&text.len()) && text.chars().all(safe)
}
