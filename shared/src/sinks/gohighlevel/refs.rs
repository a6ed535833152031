//! What is kept of a delivery, to find again what it wrote.

use serde::{Deserialize, Serialize};

use crate::domain::Delivery;

/// The CRM's ids, and what was decided.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refs {
    /// Of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// Of the note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_id: Option<String>,
    /// Digest of the note's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_hash: Option<String>,
    /// Whether the note carries the link to the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_links: Option<bool>,
    /// Set once the call is in the contact's conversation: the message's id, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_logged: Option<String>,
    /// Why nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

impl Refs {
    /// Those of a delivery.
    pub fn of(delivery: &Delivery) -> Self {
        Self::deserialize(&delivery.refs).unwrap_or_default()
    }

    /// As they are kept.
    pub fn kept(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
