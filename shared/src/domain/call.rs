//! A call: one conversation, keyed by (provider, account, provider's call id). It is a fold over its events, so that
//! events which come late, twice or in any order give the same call.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CallId, EventKind, Phone, ProviderId, Recording, one_line};

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The other party called us.
    Inbound,
    /// The agent called.
    Outbound,
}

impl Direction {
    /// The name in the database and in sinks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// How far the call itself (not our work on it) has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// Ringing or talking.
    InProgress,
    /// Ended after a conversation.
    Completed,
    /// Nobody answered.
    Missed,
    /// It could not be set up.
    Failed,
}

impl CallStatus {
    /// The name in the database and in Callmind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Missed => "missed",
            Self::Failed => "failed",
        }
    }
}

/// How our work on a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Recorded, transcribed and analyzed.
    Analyzed,
    /// The provider has no recording of it.
    NotRecorded,
    /// There is a recording, or may be one, but it could not be had: its fetch failed for good.
    RecordingMissing,
    /// The recording holds no speech.
    NoSpeech,
    /// Too short to say anything about.
    TooShort,
    /// An answering machine.
    Voicemail,
    /// Transcribed, but no model is configured that could judge it.
    NotAnalyzed,
}

impl Conclusion {
    /// The name in the database, logs and API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Analyzed => "analyzed",
            Self::NotRecorded => "not-recorded",
            Self::RecordingMissing => "recording-missing",
            Self::NoSpeech => "no-speech",
            Self::TooShort => "too-short",
            Self::Voicemail => "voicemail",
            Self::NotAnalyzed => "not-analyzed",
        }
    }

    /// Whether it stands only until a recording comes after all.
    pub const fn lacks_recording(self) -> bool {
        matches!(self, Self::NotRecorded | Self::RecordingMissing)
    }
}

/// The person on our side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// The provider's id.
    pub id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// The person on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// The provider's id.
    pub id: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// A name under which a provider knows a call; a call may have several (`id`, `uuid`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct CallKey {
    /// What sort of key: `id`, `uuid`, …
    pub kind: String,
    /// Its value.
    pub value: String,
}

/// What one event says of its call. Everything may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallFacts {
    /// The provider's own id, used in links, notes and API calls.
    pub provider_call_id: Option<String>,
    /// Every key the event names, the id included.
    pub keys: Vec<CallKey>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// How far the call has come.
    pub status: Option<CallStatus>,
    /// The other party's number.
    pub external_phone: Option<Phone>,
    /// Our number.
    pub internal_phone: Option<Phone>,
    /// The person on our side.
    pub agent: Agent,
    /// The person on the other side.
    pub contact: Contact,
    /// The campaign that the call belongs to.
    pub campaign: Option<String>,
    /// When the call began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Talking time in seconds, as the provider says.
    pub duration_seconds: Option<f64>,
    /// Length of the recording in seconds, as the provider says, where that is another one: recording may begin late.
    pub recording_seconds: Option<f64>,
    /// Whether the provider recorded it; `None` when it does not say.
    pub recorded: Option<bool>,
    /// Why the provider has no recording of it, as it says.
    pub recording_absence: Option<String>,
    /// Where the provider says the recording is. A secret: never logged, never given to a sink.
    pub recording_url: Option<String>,
    /// `wav`, `mp3`, as the provider says.
    pub recording_format: Option<String>,
    /// A separate webhook announced the recording.
    pub recording_announced: bool,
    /// The call left a message on a machine.
    pub voicemail: bool,
    /// The audio that an event brought with it, proven and stored when that event was accepted. Only a provider's own reading
    /// of such an event sets it.
    pub received: Option<Recording>,
    /// An event brought the provider's own transcript, for when there is no audio.
    pub words: bool,
}

/// A call as merged from all its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Ours.
    pub id: CallId,
    /// Where it came from.
    pub provider: ProviderId,
    /// Which of the provider's accounts.
    pub account: String,
    /// What its events said, folded.
    pub facts: CallFacts,
    /// How our work on it ended; `None` while it goes on.
    pub conclusion: Option<Conclusion>,
    /// When its first event was accepted.
    pub created_at: DateTime<Utc>,
}

impl Call {
    /// The id that people and links use: the provider's, else ours.
    pub fn display_id(&self) -> String {
        self.facts.provider_call_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// Whether the call is over.
    pub fn ended(&self) -> bool {
        matches!(self.facts.status, Some(CallStatus::Completed | CallStatus::Missed | CallStatus::Failed))
    }
}

impl CallFacts {
    /// Folds what the events of one call say. The result does not depend on the order of `events`, nor on repetition:
    /// events are put into a canonical order (by kind, then by `key`), and a later one wins where it says something.
    pub fn fold<'a>(events: impl IntoIterator<Item = (&'a EventKind, &'a str, CallFacts)>) -> Self {
        let mut events: Vec<_> = events.into_iter().collect();
        events.sort_by(|a, b| (rank(a.0), a.1, a.0).cmp(&(rank(b.0), b.1, b.0)));
        events.dedup_by(|a, b| a.0 == b.0 && a.1 == b.1);
        let mut folded = Self::default();
        for (_, _, facts) in events {
            folded.absorb(facts);
        }
        folded.keys.sort();
        folded.on_one_line()
    }

    /// Each name on one line, whoever told it.
    fn on_one_line(mut self) -> Self {
        let Self { agent, contact, campaign, recording_absence, .. } = &mut self;
        let people = [&mut agent.id, &mut agent.name, &mut agent.email];
        let others = [&mut contact.id, &mut contact.name, &mut contact.email, campaign, recording_absence];
        for text in people.into_iter().chain(others).flatten() {
            *text = one_line(text);
        }
        self
    }

    /// These facts, and what somebody else who knows the call says where they say nothing.
    #[must_use]
    pub fn over(self, mut others: Self) -> Self {
        others.absorb(self);
        others.keys.sort();
        others
    }

    /// The first key of that kind.
    pub fn key(&self, kind: &str) -> Option<&str> {
        self.keys.iter().find(|key| key.kind == kind).map(|key| key.value.as_str())
    }

    fn absorb(&mut self, other: Self) {
        fn take<T>(mine: &mut Option<T>, other: Option<T>) {
            if other.is_some() {
                *mine = other;
            }
        }
        take(&mut self.provider_call_id, other.provider_call_id);
        take(&mut self.direction, other.direction);
        self.status = self.status.max(other.status);
        take(&mut self.external_phone, other.external_phone);
        take(&mut self.internal_phone, other.internal_phone);
        take(&mut self.agent.id, other.agent.id);
        take(&mut self.agent.name, other.agent.name);
        take(&mut self.agent.email, other.agent.email);
        take(&mut self.contact.id, other.contact.id);
        take(&mut self.contact.name, other.contact.name);
        take(&mut self.contact.email, other.contact.email);
        take(&mut self.campaign, other.campaign);
        take(&mut self.started_at, other.started_at);
        take(&mut self.ended_at, other.ended_at);
        take(&mut self.duration_seconds, other.duration_seconds);
        take(&mut self.recording_seconds, other.recording_seconds);
        take(&mut self.recording_absence, other.recording_absence);
        take(&mut self.recording_url, other.recording_url);
        take(&mut self.recording_format, other.recording_format);
        // One event that knows of a recording outweighs one that says there is none: it may have been too early to know.
        self.recorded = self.recorded.max(other.recorded);
        self.recording_announced |= other.recording_announced;
        self.voicemail |= other.voicemail;
        take(&mut self.received, other.received);
        self.words |= other.words;
        for key in other.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }
}

fn rank(kind: &EventKind) -> u8 {
    match kind {
        EventKind::CallStarted => 1,
        EventKind::RecordingAvailable => 2,
        EventKind::CallEnded => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
