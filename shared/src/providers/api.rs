//! What a provider's API is asked for, beside recordings: calls that no webhook told of, and live calls.

use std::time::Duration;

use crate::domain::NewEvent;

/// Whether a provider's API is asked from time to time for what no webhook brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// It cannot be.
    No,
    /// It could be, and the settings say no.
    Off,
    /// So often.
    Every(Duration),
}

/// A part of what a provider's API knows.
#[derive(Debug, Default)]
pub struct Page {
    /// What became known, as the events that its webhooks would have been.
    pub events: Vec<NewEvent>,
    /// Where the rest is; `None` when that was all.
    pub next: Option<String>,
}

/// How starting to record a live call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// It is recorded.
    Recording,
    /// The call is over; it was not recorded.
    Over,
}
