//! An event: a webhook that was verified and accepted, its raw body kept.

use chrono::{DateTime, Utc};

use super::{EventId, ProviderId, Step};

/// What a source said with a webhook. Unknown kinds are kept too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// The call began.
    CallStarted,
    /// The call is over.
    CallEnded,
    /// The recording can be fetched.
    RecordingAvailable,
    /// A contact is new.
    NewContact,
    /// A contact was changed.
    ContactUpdated,
    /// A contact has another set of tags.
    NewTag,
    /// A note was written on a contact.
    NewNote,
    /// A deal of a contact is in another stage of its pipeline.
    PipelineStageChanged,
    /// A deal of a contact is won, lost, abandoned or open again.
    OpportunityStatusChanged,
    /// Authentic, but nothing that we act on.
    Other(String),
}

impl EventKind {
    /// Of an event whose own name says nothing to us.
    pub fn other() -> Self {
        Self::Other("other".to_owned())
    }

    /// The name in the database, logs and metrics.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CallStarted => "call-started",
            Self::CallEnded => "call-ended",
            Self::RecordingAvailable => "recording-available",
            Self::NewContact => "new-contact",
            Self::ContactUpdated => "contact-updated",
            Self::NewTag => "new-tag",
            Self::NewNote => "new-note",
            Self::PipelineStageChanged => "pipeline-stage-changed",
            Self::OpportunityStatusChanged => "opportunity-status-changed",
            Self::Other(name) => name,
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Self {
        match name {
            "call-started" => Self::CallStarted,
            "call-ended" => Self::CallEnded,
            "recording-available" => Self::RecordingAvailable,
            "new-contact" => Self::NewContact,
            "contact-updated" => Self::ContactUpdated,
            "new-tag" => Self::NewTag,
            "new-note" => Self::NewNote,
            "pipeline-stage-changed" => Self::PipelineStageChanged,
            "opportunity-status-changed" => Self::OpportunityStatusChanged,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The step that is due first for such an event: intake of what is about a call, mirror of what is about a contact.
    pub const fn first_step(&self) -> Step {
        match self {
            Self::CallStarted | Self::CallEnded | Self::RecordingAvailable | Self::Other(_) => Step::Intake,
            Self::NewContact
            | Self::ContactUpdated
            | Self::NewTag
            | Self::NewNote
            | Self::PipelineStageChanged
            | Self::OpportunityStatusChanged => Step::Mirror,
        }
    }
}

/// A webhook that passed its source's check and is about to be recorded.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Who sent it.
    pub provider: ProviderId,
    /// Which of the provider's accounts, `default` where there is only one.
    pub account: String,
    /// What it says.
    pub kind: EventKind,
    /// The provider's id of the event or, without one, a digest of kind and content. Unique per provider and account,
    /// for good.
    pub dedupe_key: String,
    /// The body exactly as received.
    pub body: Vec<u8>,
}

/// A recorded event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Ours.
    pub id: EventId,
    /// Who sent it.
    pub provider: ProviderId,
    /// Which of the provider's accounts.
    pub account: String,
    /// What it says.
    pub kind: EventKind,
    /// See [`NewEvent::dedupe_key`].
    pub dedupe_key: String,
    /// The body exactly as received.
    pub body: Vec<u8>,
    /// When it was accepted.
    pub received_at: DateTime<Utc>,
}
