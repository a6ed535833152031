//! What an event says changed. State is read where it is held; the event only says where to look.

use crate::domain::{Event, EventKind, Phone};
use crate::{
    providers::cloudtalk,
    sources::{Unusable, gohighlevel},
};

/// One of the two systems that hold the same contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The telephone exchange.
    CloudTalk,
    /// The CRM.
    GoHighLevel,
}

impl Side {
    /// The name in the database and logs, which is also that of the source.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudTalk => "cloudtalk",
            Self::GoHighLevel => "gohighlevel",
        }
    }

    /// The name as people write it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::CloudTalk => "CloudTalk",
            Self::GoHighLevel => "GoHighLevel",
        }
    }

    /// The one across.
    pub const fn other(self) -> Self {
        match self {
            Self::CloudTalk => Self::GoHighLevel,
            Self::GoHighLevel => Self::CloudTalk,
        }
    }
}

/// A change on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where.
    pub side: Side,
    /// Whose.
    pub who: Who,
    /// What.
    pub what: What,
}

/// How an event names a contact; something of it is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Who {
    /// The side's id.
    pub id: Option<String>,
    /// A number of theirs.
    pub phone: Option<Phone>,
    /// An e-mail address of theirs.
    pub email: Option<String>,
}

impl Who {
    /// Whether nothing names anybody.
    pub fn is_nobody(&self) -> bool {
        self.id.is_none() && self.phone.is_none() && self.email.is_none()
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The contact's fields or tags.
    Contact,
    /// A note was written. Both may be unknown.
    Note {
        /// The side's id of it.
        id: Option<String>,
        /// What it says.
        text: Option<String>,
    },
    /// A deal moved.
    Deal(Deal),
}

/// How a deal of a contact stands, as far as the event says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deal {
    /// The CRM's id of it.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// `open`, `won`, `lost`, `abandoned`.
    pub status: Option<String>,
    /// Name of its pipeline.
    pub pipeline: Option<String>,
    /// Name of its stage.
    pub stage: Option<String>,
    /// The CRM's id of its stage.
    pub stage_id: Option<String>,
}

impl Change {
    /// What a recorded event says; `None` when it is not about a contact.
    ///
    /// # Errors
    /// [`Unusable`], when the body cannot be understood after all.
    pub fn of(event: &Event) -> Result<Option<Self>, Unusable> {
        match event.provider.as_str() {
            name if name == Side::CloudTalk.as_str() => cloudtalk::change(event),
            name if name == Side::GoHighLevel.as_str() => gohighlevel::change(event),
            _ => Ok(None),
        }
    }
}

impl What {
    /// What an event of this kind tells of; `None` when it is not about a contact.
    pub(crate) fn of(kind: &EventKind, note: impl FnOnce() -> Self, deal: impl FnOnce() -> Deal) -> Option<Self> {
        match kind {
            EventKind::NewContact | EventKind::ContactUpdated | EventKind::NewTag => Some(Self::Contact),
            EventKind::NewNote => Some(note()),
            EventKind::PipelineStageChanged | EventKind::OpportunityStatusChanged => Some(Self::Deal(deal())),
            EventKind::CallStarted | EventKind::CallEnded | EventKind::RecordingAvailable | EventKind::Other(_) => None,
        }
    }
}
