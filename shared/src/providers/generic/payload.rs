//! What a body means: first where the settings say that a field is, else by the names that such fields have.

use serde_json::Value;

use super::{
    body::Body,
    links,
    mapping::{Field, Mapping},
    names,
};
use crate::{
    domain::{Agent, CallFacts, CallKey, CallStatus, Contact, Direction, EventKind, Phone},
    sources::loose::{self, ROUNDED},
};

/// Events are about a call whose names hold one of these.
const ABOUT: [&str; 10] = ["call", "record", "conversation", "hang", "hung", "ring", "dial", "cdr", "audio", "session"];
/// And words that say it alone.
const ALONE: [&str; 8] =
    ["started", "ended", "completed", "answered", "initiated", "finished", "disconnected", "missed"];
const READY: [&str; 8] = ["ready", "available", "complete", "upload", "saved", "created", "finished", "processed"];
const OVER: [&str; 14] = [
    "end",
    "hangup",
    "hungup",
    "complete",
    "finish",
    "terminat",
    "disconnect",
    "missed",
    "noanswer",
    "busy",
    "cancel",
    "fail",
    "abandon",
    "analyzed",
];
const BEGUN: [&str; 9] =
    ["start", "ring", "initiat", "answer", "created", "incoming", "inbound", "inprogress", "connect"];

/// The longest id in bytes: it goes into an index, a link and a note.
const LONGEST_ID: usize = 512;

/// One body and what the settings say of it.
pub(super) struct Reading<'b> {
    body: &'b Body,
    mapping: &'b Mapping,
}

impl<'b> Reading<'b> {
    pub(super) fn new(body: &'b Body, mapping: &'b Mapping) -> Self {
        Self { body, mapping }
    }

    /// What the event is: by its name, else by what it says. `None` when it has no name, and nothing tells what happened.
    pub(super) fn kind(&self) -> Option<EventKind> {
        let name = self.find(Field::Event, names::EVENT, names::EVENT_OUTER, loose::text);
        if let Some(kind) = name.as_deref().and_then(|name| self.mapping.event(name).or_else(|| named(name))) {
            return Some(kind);
        }
        let status = self.status();
        let over = status.is_some_and(|status| status != CallStatus::InProgress);
        if over || self.time(Field::EndedAt).is_some() {
            Some(EventKind::CallEnded)
        } else if self.recording_url().is_some() {
            Some(EventKind::RecordingAvailable)
        } else if status.is_some() {
            Some(EventKind::CallStarted)
        } else if self.seconds().is_some() {
            Some(EventKind::CallEnded)
        } else {
            name.map(|_| EventKind::other())
        }
    }

    /// Which of the call's ids cannot be kept, and why.
    pub(super) fn bad_id(&self) -> Option<(&'static str, &'static str)> {
        let bad = |found: Option<Result<String, &'static str>>| found.and_then(Result::err);
        let call_id = bad(self.call_id()).map(|why| ("call_id", why));
        call_id.or_else(|| bad(self.uuid()).map(|why| ("call_uuid", why)))
    }

    /// The id of the event itself, where the settings say which it is.
    pub(super) fn event_id(&self) -> Option<String> {
        self.mapping.look(Field::EventId, self.body, id).flatten()?.ok()
    }

    /// What the event says of its call; depends on the body, its kind and the settings alone.
    pub(super) fn facts(&self, kind: &EventKind) -> CallFacts {
        let call_id = self.call_id().and_then(Result::ok);
        let uuid = self.uuid().and_then(Result::ok);
        let recording_url = self.recording_url();
        let duration_seconds = self.seconds();
        let said = self.find(Field::Recorded, names::RECORDED, &[], loose::flag);
        let recorded =
            if *kind == EventKind::RecordingAvailable || recording_url.is_some() { Some(true) } else { said };
        let key =
            |kind: &str, value: &Option<String>| value.clone().map(|value| CallKey { kind: kind.to_owned(), value });
        let (direction, external_phone, internal_phone) = self.parties();
        CallFacts {
            keys: [key("id", &call_id), key("uuid", &uuid)].into_iter().flatten().collect(),
            provider_call_id: call_id.or(uuid),
            direction,
            status: loose::concluded(kind, self.status(), duration_seconds, recorded),
            external_phone,
            internal_phone,
            agent: self.agent(),
            contact: self.contact(),
            campaign: self.find(Field::Campaign, names::CAMPAIGN, names::CAMPAIGN_OUTER, loose::text),
            started_at: self.time(Field::StartedAt),
            ended_at: self.time(Field::EndedAt),
            duration_seconds,
            recorded,
            recording_format: self.format(recording_url.as_deref()),
            recording_announced: *kind == EventKind::RecordingAvailable || recording_url.is_some(),
            recording_url,
            voicemail: self.voicemail(),
            ..CallFacts::default()
        }
    }

    fn find<T>(
        &self,
        field: Field,
        anywhere: &[&str],
        outer: &[&str],
        read: impl Fn(&Value) -> Option<T> + Copy,
    ) -> Option<T> {
        match self.mapping.look(field, self.body, read) {
            Some(found) => found,
            None => self.body.named(anywhere, read).or_else(|| self.body.outer(outer, read)),
        }
    }

    fn call_id(&self) -> Option<Result<String, &'static str>> {
        self.find(Field::CallId, names::ID, names::ID_OUTER, id)
    }

    fn uuid(&self) -> Option<Result<String, &'static str>> {
        self.find(Field::CallUuid, names::UUID, names::UUID_OUTER, id)
    }

    fn status(&self) -> Option<CallStatus> {
        let read = |value: &Value| loose::status(value.as_str()?);
        self.find(Field::Status, names::STATUS, names::STATUS_OUTER, read)
    }

    fn recording_url(&self) -> Option<String> {
        match self.mapping.look(Field::RecordingUrl, self.body, links::url) {
            Some(found) => found,
            None => links::recording(self.body, self.call_id().and_then(Result::ok).as_deref()),
        }
    }

    fn seconds(&self) -> Option<f64> {
        let seconds = |value: &Value| loose::seconds(&loose::text(value)?);
        self.find(Field::DurationSeconds, names::SECONDS, names::SECONDS_OUTER, seconds).or_else(|| {
            let thousandths =
                |value: &Value| loose::text(value)?.parse().ok().filter(|ms: &f64| (0.0..6e8).contains(ms));
            self.body.named(names::MILLISECONDS, thousandths).map(|milliseconds| milliseconds / 1000.0)
        })
    }

    fn time(&self, field: Field) -> Option<chrono::DateTime<chrono::Utc>> {
        let read = |value: &Value| loose::moment(&loose::text(value)?, &chrono::Utc);
        match field {
            Field::StartedAt => self.find(field, names::STARTED, names::STARTED_OUTER, read),
            _ => self.find(field, names::ENDED, names::ENDED_OUTER, read),
        }
    }

    /// Who spoke to whom. Of `from` and `to` it takes the direction to tell which of them is the customer.
    fn parties(&self) -> (Option<Direction>, Option<Phone>, Option<Phone>) {
        let read = |value: &Value| loose::direction(value.as_str()?);
        let direction = self.find(Field::Direction, names::DIRECTION, names::DIRECTION_OUTER, read);
        let external = self.find(Field::ExternalNumber, names::EXTERNAL, names::EXTERNAL_OUTER, phone);
        let internal = self.find(Field::InternalNumber, names::INTERNAL, names::INTERNAL_OUTER, phone);
        let from = self.find(Field::From, names::FROM, names::FROM_OUTER, phone);
        let to = self.find(Field::To, names::TO, names::TO_OUTER, phone);
        match direction {
            Some(Direction::Inbound) => (direction, external.or(from), internal.or(to)),
            Some(Direction::Outbound) => (direction, external.or(to), internal.or(from)),
            None => (direction, external, internal),
        }
    }

    fn agent(&self) -> Agent {
        Agent {
            id: self.find(Field::AgentId, names::AGENT_ID, &[], loose::text),
            name: self.find(Field::AgentName, names::AGENT_NAME, names::AGENT_OUTER, loose::text),
            email: self.find(Field::AgentEmail, names::AGENT_EMAIL, &[], loose::text),
        }
    }

    fn contact(&self) -> Contact {
        Contact {
            id: self.find(Field::ContactId, names::CONTACT_ID, &[], loose::text),
            name: self.find(Field::ContactName, names::CONTACT_NAME, &[], loose::text),
            email: self.find(Field::ContactEmail, names::CONTACT_EMAIL, &[], loose::text),
        }
    }

    fn format(&self, url: Option<&str>) -> Option<String> {
        let named = |value: &Value| loose::format(value.as_str()?);
        self.find(Field::RecordingFormat, names::FORMAT, &[], named).or_else(|| links::extension(url?))
    }

    fn voicemail(&self) -> bool {
        let flag = self.find(Field::Voicemail, names::VOICEMAIL, &[], loose::flag);
        let word = |value: &Value| (loose::plain(value.as_str()?) == "voicemail").then_some(());
        flag == Some(true) || self.find(Field::Status, names::STATUS, names::STATUS_OUTER, word).is_some()
    }
}

fn phone(value: &Value) -> Option<Phone> {
    Phone::parse(&loose::text(value)?)
}

/// What systems write that have none. Taken for an id it would make one call of all that say so.
const NO_IDS: [&str; 7] = ["n/a", "na", "none", "nil", "unknown", "not available", "anonymous"];

/// A place in a template that nobody filled: `{{call.id}}`, `${id}`, `<callid>`, `%UNIQUEID%`.
fn is_unfilled(text: &str) -> bool {
    let within = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close) && text.len() > 2;
    within("{", "}") || within("${", "}") || within("<", ">") || within("%", "%") || within("[", "]")
}

/// An id, as text, whatever is in it; or why that cannot be kept. What says nothing (`0`, `--`) is no id.
fn id(value: &Value) -> Option<Result<String, &'static str>> {
    if loose::is_rounded(value) {
        return Some(Err(ROUNDED));
    }
    let text = loose::text(value).filter(|text| text.chars().any(|c| c.is_alphanumeric() && c != '0'))?;
    if NO_IDS.contains(&text.to_lowercase().as_str()) || is_unfilled(&text) {
        return None;
    }
    Some(if text.len() > LONGEST_ID {
        Err("longer than 512 bytes")
    } else if text.contains(['\n', '\r', '\t', '\u{2028}', '\u{2029}']) {
        Err("holds a line break or a tab")
    } else {
        Ok(text)
    })
}

/// What an event of that name is, where the name says it.
fn named(name: &str) -> Option<EventKind> {
    let plain = loose::plain(name);
    let has = |words: &[&str]| words.iter().any(|word| plain.contains(word));
    if !has(&ABOUT) && !ALONE.contains(&plain.as_str()) {
        return None;
    }
    if plain.contains("record") || plain.contains("audio") {
        return has(&READY).then_some(EventKind::RecordingAvailable);
    }
    // "disconnected" holds "connect", and "ended" is more certain than any of them.
    if has(&OVER) { Some(EventKind::CallEnded) } else { has(&BEGUN).then_some(EventKind::CallStarted) }
}
