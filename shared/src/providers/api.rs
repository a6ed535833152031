//! What a provider's API is asked for, beside recordings: calls that no webhook told of, and live calls.

use std::time::Duration;

use crate::{
    domain::NewEvent,
    env::{Env, EnvError},
};

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

impl Polling {
    /// Reads a switch, off by default, and its interval in minutes.
    ///
    /// # Errors
    /// When one of the two cannot be used. Names it.
    pub fn from_env(env: &Env, switch: &str, interval: &str, default_minutes: f64) -> Result<Self, EnvError> {
        let minutes = env.parsed(interval, default_minutes)?;
        // Seconds are for tests.
        let range = Duration::from_millis(100)..Duration::from_secs(86_400);
        let every = Duration::try_from_secs_f64(minutes * 60.0).ok().filter(|every| range.contains(every));
        let why = "expected minutes, up to a day".to_owned();
        let every = every.ok_or_else(|| EnvError::Invalid { name: interval.to_owned(), why })?;
        Ok(if env.flag(switch, false)? { Self::Every(every) } else { Self::Off })
    }
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
