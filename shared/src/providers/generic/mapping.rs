//! Where the settings say that fields are: `GENERIC_FIELDS`, a JSON object or the path of a file with one.
//!
//! Each field is a place (`data.call.id`, or a JSON pointer, `/data/call.id/0`), several of them, or a value that never
//! changes (`=inbound`). A field that is named here is looked for nowhere else.

use std::{collections::BTreeMap, fs};

use serde_json::{Map, Value};

use super::{FIELDS, body::Body};
use crate::{
    domain::EventKind,
    env::{Env, EnvError},
    sources::loose,
};

/// What the other names of the settings are.
const EVENTS: &str = "events";

/// The fields that the settings may place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Event,
    EventId,
    CallId,
    CallUuid,
    Direction,
    Status,
    ExternalNumber,
    InternalNumber,
    From,
    To,
    StartedAt,
    EndedAt,
    DurationSeconds,
    Recorded,
    RecordingUrl,
    RecordingFormat,
    Voicemail,
    AgentId,
    AgentName,
    AgentEmail,
    ContactId,
    ContactName,
    ContactEmail,
    Campaign,
}

const FIELD_NAMES: [(&str, Field); 24] = [
    ("event", Field::Event),
    ("event_id", Field::EventId),
    ("call_id", Field::CallId),
    ("call_uuid", Field::CallUuid),
    ("direction", Field::Direction),
    ("status", Field::Status),
    ("external_number", Field::ExternalNumber),
    ("internal_number", Field::InternalNumber),
    ("from", Field::From),
    ("to", Field::To),
    ("started_at", Field::StartedAt),
    ("ended_at", Field::EndedAt),
    ("duration_seconds", Field::DurationSeconds),
    ("recorded", Field::Recorded),
    ("recording_url", Field::RecordingUrl),
    ("recording_format", Field::RecordingFormat),
    ("voicemail", Field::Voicemail),
    ("agent_id", Field::AgentId),
    ("agent_name", Field::AgentName),
    ("agent_email", Field::AgentEmail),
    ("contact_id", Field::ContactId),
    ("contact_name", Field::ContactName),
    ("contact_email", Field::ContactEmail),
    ("campaign", Field::Campaign),
];

/// Where a field is.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Pointer(String),
    Constant(Value),
}

/// What the settings say of fields and events.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    fields: BTreeMap<Field, Vec<Place>>,
    events: BTreeMap<String, EventKind>,
}

impl Mapping {
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let invalid = |why: String| EnvError::Invalid { name: FIELDS.to_owned(), why };
        let Some(text) = env.var(FIELDS) else { return Ok(Self::default()) };
        let file;
        let text = if text.starts_with('{') {
            text
        } else {
            file = fs::read_to_string(text).map_err(|error| invalid(format!("its file cannot be read: {error}")))?;
            &file
        };
        let object = serde_json::from_str(text).map_err(|error| invalid(format!("no JSON object: {error}")))?;
        Self::read(object).map_err(invalid)
    }

    fn read(object: Map<String, Value>) -> Result<Self, String> {
        let mut mapping = Self::default();
        for (name, value) in object {
            if name == EVENTS {
                mapping.events = events(&value)?;
                continue;
            }
            let known = FIELD_NAMES.iter().find(|(known, _)| *known == name);
            let (_, field) = known.ok_or_else(|| {
                let known: Vec<_> = FIELD_NAMES.iter().map(|(name, _)| *name).collect();
                format!("no field {name}; there are {EVENTS}, {}", known.join(", "))
            })?;
            let places = match &value {
                Value::Array(all) => all.iter().map(place).collect::<Option<_>>(),
                one => place(one).map(|place| vec![place]),
            };
            let places = places.ok_or_else(|| format!("{name}: expected a place, several, or =value"))?;
            mapping.fields.insert(*field, places);
        }
        Ok(mapping)
    }

    /// What can be read of the field where the settings say that it is; `None` when they do not say.
    pub(super) fn look<T>(&self, field: Field, body: &Body, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
        let places = self.fields.get(&field)?;
        let value = |place: &Place| match place {
            Place::Pointer(pointer) => body.at(pointer),
            Place::Constant(value) => Some(value.clone()),
        };
        Some(places.iter().find_map(|place| read(&value(place)?)))
    }

    /// What the settings say that an event of this name is.
    pub(super) fn event(&self, name: &str) -> Option<EventKind> {
        self.events.get(name).cloned()
    }
}

/// `a.b.0` is short for the JSON pointer `/a/b/0`; names with a dot need the pointer.
fn place(value: &Value) -> Option<Place> {
    let text = value.as_str()?.trim();
    if let Some(constant) = text.strip_prefix('=') {
        return loose::present(&Value::String(constant.to_owned())).map(Place::Constant);
    }
    if text.is_empty() || text.starts_with('/') {
        return (!text.is_empty()).then(|| Place::Pointer(text.to_owned()));
    }
    Some(Place::Pointer(
        text.split('.').map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect(),
    ))
}

fn events(value: &Value) -> Result<BTreeMap<String, EventKind>, String> {
    let object = value.as_object().ok_or_else(|| format!("{EVENTS}: expected an object"))?;
    let kind = |(name, kind): (&String, &Value)| match kind.as_str() {
        Some("call-started") => Ok((name.clone(), EventKind::CallStarted)),
        Some("call-ended") => Ok((name.clone(), EventKind::CallEnded)),
        Some("recording-available") => Ok((name.clone(), EventKind::RecordingAvailable)),
        Some("ignored") => Ok((name.clone(), EventKind::Other("ignored".to_owned()))),
        _ => Err(format!("{EVENTS}: {name}: expected call-started, call-ended, recording-available or ignored")),
    };
    object.iter().map(kind).collect()
}
