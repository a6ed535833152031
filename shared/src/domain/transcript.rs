//! A transcript: speaker-labelled, time-stamped turns.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::{Channels, Redacted, one_line};

/// Who speaks. As text: `agent`, `caller`, `unknown`, `voice-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Speaker {
    /// The person on our side.
    Agent,
    /// The other party.
    Caller,
    /// It cannot be told.
    Unknown,
    /// A voice that is told from the others, from 1 in the order in which they are heard. Whose it is, is not known.
    Voice(u8),
}

impl Speaker {
    /// The label in texts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Caller => "Caller",
            Self::Unknown => "Speaker",
            Self::Voice(1) => "Speaker 1",
            Self::Voice(2) => "Speaker 2",
            Self::Voice(3) => "Speaker 3",
            Self::Voice(4) => "Speaker 4",
            Self::Voice(_) => "Another speaker",
        }
    }

    /// Whether it is known which side speaks.
    pub const fn is_party(self) -> bool {
        matches!(self, Self::Agent | Self::Caller)
    }
}

impl std::fmt::Display for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent => f.write_str("agent"),
            Self::Caller => f.write_str("caller"),
            Self::Unknown => f.write_str("unknown"),
            Self::Voice(number) => write!(f, "voice-{number}"),
        }
    }
}

impl std::str::FromStr for Speaker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "agent" => Ok(Self::Agent),
            "caller" => Ok(Self::Caller),
            "unknown" => Ok(Self::Unknown),
            other => {
                let number = other.strip_prefix("voice-").and_then(|number| number.parse().ok());
                number.map(Self::Voice).ok_or_else(|| format!("no speaker: {other}"))
            }
        }
    }
}

impl From<Speaker> for String {
    fn from(speaker: Speaker) -> Self {
        speaker.to_string()
    }
}

impl TryFrom<String> for Speaker {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl PartialSchema for Speaker {
    fn schema() -> RefOr<Schema> {
        let text =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^(agent|caller|unknown|voice-[0-9]+)$"));
        text.description(Some("Who speaks; voice-1 is told from voice-2, and neither is known to be a party.")).into()
    }
}

impl ToSchema for Speaker {}

/// What one speaker says without a change of speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Turn {
    /// Seconds from the start of the recording.
    pub start: f64,
    /// Seconds from the start of the recording; not before `start`.
    pub end: f64,
    /// Who speaks.
    pub speaker: Speaker,
    /// The words.
    pub text: String,
}

/// The words of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transcript {
    /// Turns ordered by start.
    pub turns: Vec<Turn>,
    /// ISO 639-1 code of the language, where it was set or heard.
    pub language: Option<String>,
    /// The model that heard it.
    pub model: String,
    /// Whether the turns' times are the speech server's (or a detector's) and not just the length of a piece.
    pub timed: bool,
    /// Seconds of audio that were sent, which is what speech servers bill.
    pub billed_seconds: f64,
    /// US dollars, where the model's price is known.
    pub cost: Option<f64>,
    /// What was taken out of the words before they were kept.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redacted: BTreeSet<Redacted>,
    /// What was heard on the channels of the recording; absent where a provider wrote the words down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
}

impl Transcript {
    /// The text with one line per turn, `Agent: …`. Without speakers it is plain text (facts, Callmind gap 12).
    pub fn text(&self) -> String {
        let labelled = self.turns.iter().any(|t| t.speaker != Speaker::Unknown);
        let lines = self.turns.iter().map(|t| match labelled {
            true => format!("{}: {}", t.speaker.label(), one_line(&t.text)),
            false => one_line(&t.text),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.turns.iter().map(|t| t.text.split_whitespace().count()).sum()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn speakers_are_written_down_and_read_again() {
        for (speaker, text) in [
            (Speaker::Agent, "\"agent\""),
            (Speaker::Caller, "\"caller\""),
            (Speaker::Unknown, "\"unknown\""),
            (Speaker::Voice(2), "\"voice-2\""),
        ] {
            assert_eq!(serde_json::to_string(&speaker).unwrap(), text);
            assert_eq!(serde_json::from_str::<Speaker>(text).unwrap(), speaker);
        }
        assert!(serde_json::from_str::<Speaker>("\"voice-x\"").is_err());
    }
}
