//! Milestones, and what a sink holds of them.

use serde::{Deserialize, Serialize};

/// A point in a call's way that sinks want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Milestone {
    /// The call began.
    Started,
    /// The call is over.
    Ended,
    /// The recording is stored.
    Recorded,
    /// Our work on the call is finished; with feedback, or with the reason why there is none.
    Analyzed,
}

impl Milestone {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Started, Self::Ended, Self::Recorded, Self::Analyzed];

    /// The name in the database, logs and outbound webhooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Recorded => "recorded",
            Self::Analyzed => "analyzed",
        }
    }
}

/// What one sink holds of one milestone of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Which milestone.
    pub milestone: Milestone,
    /// Digest of what was sent; the same content is not sent again.
    pub content_hash: String,
    /// The sink's own ids (`{"contact_id": …, "note_id": …}`), for later updates.
    pub refs: serde_json::Value,
}

impl Delivery {
    /// Stands for the hash of a delivery that did not come to its end, or could not begin; it equals no content's.
    pub const UNFINISHED: &str = "unfinished";
}
