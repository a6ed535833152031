//! Which fields of a CloudTalk webhook mean what. The customer types the keys, so every known spelling is accepted
//! (facts: telephony §1.3, §5); the content says what the event is, and its path is a hint.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use url::Url;

use crate::{
    domain::{Agent, CallFacts, CallKey, CallStatus, Contact, Direction, Event, EventKind},
    mirror::{Change, Deal, Side, What, Who},
    sources::{
        Unusable,
        fields::{Fields, is_key},
        loose::{self, plain},
    },
};

const ACTION: &[&str] = &["action", "event", "eventtype", "trigger"];
pub(super) const ID: &[&str] = &["callid", "cdrid", "id"];
const UUID: &[&str] = &["calluuid", "uuid"];
const STATUS: &[&str] = &["callstatus", "status"];
const DIRECTION: &[&str] = &["direction", "calldirection", "calltype", "type"];
const EXTERNAL: &[&str] = &[
    "externalnumber",
    "contactphone",
    "externalphone",
    "publicexternal",
    "callernumber",
    "contactnumber",
    "phonenumber",
    "phone",
];
const INTERNAL: &[&str] = &["internalnumber", "publicinternal", "internalphone", "internalnumbernumber"];
const DURATION: &[&str] = &["talkingtime", "callduration", "duration", "billsec"];
const STARTED: &[&str] = &["startedat", "callstartedat", "starttime", "callstart", "calldate", "date"];
const ENDED: &[&str] = &["endedat", "callendedat", "endtime", "callend"];
const URL: &[&str] = &["recordingurl", "recordinglink", "callrecordingurl", "recording"];
const RECORDED: &[&str] = &["recorded", "isrecorded", "callrecorded", "recordingavailable", "recording"];
const FORMAT: &[&str] = &["recordingformat", "recordingextension"];
const CONTACT_ID: &[&str] = &["contactid"];
const EMAIL: &[&str] = &["contactemail", "email"];
const NOTE_ID: &[&str] = &["noteid", "contactnoteid"];
const NOTE: &[&str] = &["notecontent", "notetext", "note", "content"];
const VOICEMAIL: &[&str] = &["isvoicemail", "voicemail"];

/// What the event is.
pub(super) fn kind(fields: &Fields, hint: &str) -> EventKind {
    if let Some(kind) = named(fields) {
        return kind;
    }
    let status = status(fields);
    let recording = recording_url(fields).is_some();
    let over = status.is_some_and(|status| status != CallStatus::InProgress) || fields.time(ENDED).is_some();
    match hint {
        "call-ended" if status == Some(CallStatus::InProgress) && !recording => EventKind::CallStarted,
        "call-ended" => EventKind::CallEnded,
        "call-started" if over || (recording && fields.seconds(DURATION).is_some()) => EventKind::CallEnded,
        "call-started" if recording => EventKind::RecordingAvailable,
        "call-started" => EventKind::CallStarted,
        "recording-available" if over && !recording && fields.flag(RECORDED).is_none() => EventKind::CallEnded,
        "recording-available" => EventKind::RecordingAvailable,
        // Whoever set up the workflow may have mistaken the address (facts: telephony §5).
        "contact-updated" | "new-tag" | "new-note" if recording => EventKind::RecordingAvailable,
        "contact-updated" | "new-tag" | "new-note" => EventKind::parse(hint),
        other => EventKind::Other(other.to_owned()),
    }
}

/// What the event says of its call; depends on the arguments alone.
pub(super) fn facts(fields: &Fields, kind: &EventKind) -> CallFacts {
    let recording_url = recording_url(fields);
    let id = fields.key(ID).or_else(|| id_in_link(fields));
    let duration_seconds = fields.seconds(DURATION);
    let recorded = match (kind, &recording_url) {
        (EventKind::RecordingAvailable, _) | (_, Some(_)) => Some(true),
        _ => fields.flag(RECORDED),
    };
    let key = |kind: &str, value: Option<String>| value.map(|value| CallKey { kind: kind.to_owned(), value });
    CallFacts {
        keys: [key("id", id.clone()), key("uuid", fields.key(UUID))].into_iter().flatten().collect(),
        provider_call_id: id,
        direction: direction(fields),
        status: loose::concluded(kind, status(fields), duration_seconds, recorded),
        external_phone: fields.phone(EXTERNAL),
        internal_phone: fields.phone(INTERNAL),
        agent: agent(fields),
        contact: contact(fields),
        campaign: fields.text(&["campaignname", "campaign"]),
        started_at: fields.time(STARTED),
        ended_at: fields.time(ENDED),
        duration_seconds,
        recorded,
        recording_format: format(fields, recording_url.as_deref()),
        recording_url,
        recording_announced: *kind == EventKind::RecordingAvailable,
        voicemail: fields.flag(VOICEMAIL) == Some(true) || is_voicemail(fields),
        ..CallFacts::default()
    }
}

/// What a recorded event says changed of a contact.
///
/// # Errors
/// [`Unusable`].
pub fn change(event: &Event) -> Result<Option<Change>, Unusable> {
    let fields = Fields::parse(&event.body)?;
    let note = || What::Note { id: fields.key(NOTE_ID), text: fields.text(NOTE) };
    let what = What::of(&event.kind, note, Deal::default);
    Ok(what.map(|what| Change { side: Side::CloudTalk, who: who(&fields), what }))
}

/// What a workflow about contacts sends to the route of that hint.
pub(super) fn example(hint: &str) -> Value {
    let mut body = json!({
        "contact_id": 1450000001, "contact_name": "Mario Rossi", "external_number": 393501234567_u64,
        "contact_email": "mario@example.test",
    });
    match hint {
        "new-tag" => body["tag_name"] = "VIP".into(),
        "new-note" => {
            body["note_id"] = 23.into();
            body["note_content"] = "Call back on Monday".into();
        }
        _ => {}
    }
    body
}

/// Whom an event about a contact is about.
pub(super) fn who(fields: &Fields) -> Who {
    let email = fields.text(EMAIL).filter(|text| text.contains('@'));
    Who { id: fields.key(CONTACT_ID), phone: fields.phone(EXTERNAL), email }
}

/// Some workflows name the event in the body (facts: telephony §1.2).
fn named(fields: &Fields) -> Option<EventKind> {
    match plain(&fields.text(ACTION)?).as_str() {
        "callstarted" | "started" | "ringing" | "ringingonagent" | "answered" | "callanswered" => {
            Some(EventKind::CallStarted)
        }
        "callended" | "ended" | "hangup" => Some(EventKind::CallEnded),
        "recordinguploaded" | "recordingavailable" | "recordingready" | "callrecordingready" => {
            Some(EventKind::RecordingAvailable)
        }
        "contactcreated" | "newcontact" => Some(EventKind::NewContact),
        "contactupdated" => Some(EventKind::ContactUpdated),
        "newtag" | "tagadded" | "contacttagged" => Some(EventKind::NewTag),
        "newnote" | "noteadded" => Some(EventKind::NewNote),
        "agentstatuschanged" | "userstatuschanged" => Some(EventKind::Other("agent-status-changed".to_owned())),
        _ => None,
    }
}

fn status(fields: &Fields) -> Option<CallStatus> {
    loose::status(&fields.text(STATUS)?)
}

fn direction(fields: &Fields) -> Option<Direction> {
    DIRECTION.iter().find_map(|name| loose::direction(&fields.text(&[name])?))
}

fn agent(fields: &Fields) -> Agent {
    let first = fields.text(&["agentfirstname", "agentfirst"]);
    let last = fields.text(&["agentlastname", "agentlast"]);
    let both =
        || Some([first, last].into_iter().flatten().collect::<Vec<_>>().join(" ")).filter(|name| !name.is_empty());
    Agent {
        id: fields.text(&["agentid"]),
        name: fields.text(&["agentname", "agentfullname"]).or_else(both),
        email: fields.text(&["agentemail"]),
    }
}

fn contact(fields: &Fields) -> Contact {
    Contact {
        id: fields.text(&["contactid"]),
        name: fields.text(&["contactname", "contactfullname"]),
        email: fields.text(&["contactemail"]),
    }
}

fn is_voicemail(fields: &Fields) -> bool {
    STATUS.iter().chain(DIRECTION).any(|name| fields.text(&[name]).is_some_and(|text| plain(&text) == "voicemail"))
}

fn recording_url(fields: &Fields) -> Option<String> {
    let links = URL.iter().filter_map(|name| fields.text(&[name]));
    links.into_iter().find(|text| link(text).is_some_and(|url| played_id(&url).is_none()))
}

fn format(fields: &Fields, url: Option<&str>) -> Option<String> {
    let from_link = || Some(link(url?)?.path().rsplit_once('.')?.1.to_owned());
    loose::format(&fields.text(FORMAT).or_else(from_link)?)
}

fn link(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The call's id, which CloudTalk's links hold: `/pub/r/<base64 of the id>/…` and the page `/r/play/<id>`
/// (facts: telephony §1.2, §1.4).
fn id_in_link(fields: &Fields) -> Option<String> {
    let mut links = URL.iter().filter_map(|name| link(&fields.text(&[name])?));
    links.find_map(|url| {
        let encoded = segment_after(&url, "pub", "r").map(|text| text.replace("%3D", "=").replace("%3d", "="));
        let decoded = encoded.and_then(|text| String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok());
        decoded.filter(|id| is_key(id)).or_else(|| played_id(&url))
    })
}

/// The id in a link to a page that plays a recording, which is not audio.
fn played_id(url: &Url) -> Option<String> {
    segment_after(url, "r", "play").filter(|id| is_key(id)).map(str::to_owned)
}

fn segment_after<'u>(url: &'u Url, first: &str, second: &str) -> Option<&'u str> {
    let segments: Vec<&str> = url.path_segments()?.collect();
    segments.windows(3).find(|window| window[0] == first && window[1] == second).map(|window| window[2])
}
