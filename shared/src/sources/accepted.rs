//! What the sender of a webhook that was taken is told.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::EventId;

/// The answer to a webhook that was taken: its row is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Accepted {
    /// `accepted`, or `duplicate`: it came before.
    #[schema(example = "accepted")]
    status: &'static str,
    /// Ours; absent for a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

impl Accepted {
    /// Of an event that is new.
    pub fn new(event: EventId) -> Self {
        Self { status: "accepted", event_id: Some(event) }
    }

    /// Of one that came before.
    pub fn duplicate() -> Self {
        Self { status: "duplicate", event_id: None }
    }
}
