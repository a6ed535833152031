//! What a provider's API is asked for, beside recordings: calls that no webhook told of, live calls, and calls that whoever
//! started them makes known.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::{NewEvent, Phone},
    env::{Env, EnvError},
};

/// Characters of the longest name of a chat.
const LONGEST_CHAT: usize = 128;

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

/// A call that was started: by us, or elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedCall {
    /// The id of whoever holds the conversation.
    pub conversation_id: Option<String>,
    /// The carrier's id.
    pub call_sid: Option<String>,
    /// The id in the system of whoever ordered it.
    pub chat_id: Option<String>,
    /// Whom.
    pub called_number: Option<Phone>,
    /// The agent.
    pub agent_id: Option<String>,
}

impl StartedCall {
    /// A digest of all that is said of it: who says more of a call tells something new.
    pub fn digest(&self) -> String {
        let said = serde_json::to_vec(self).expect("texts can be written");
        hex::encode(Sha256::digest(said))
    }
}

/// Whether a chat may have that name: whatever the system of whoever ordered the call uses, within reason.
pub fn is_chat_id(text: &str) -> bool {
    (1..=LONGEST_CHAT).contains(&text.chars().count()) && text == text.trim() && !text.chars().any(char::is_control)
}

/// How starting to record a live call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// It is recorded.
    Recording,
    /// The call is over; it was not recorded.
    Over,
}
