//! A transcript: speaker-labelled, time-stamped turns.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The person on our side.
    Agent,
    /// The other party.
    Caller,
    /// It cannot be told.
    Unknown,
}

impl Speaker {
    /// The label in texts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Caller => "Caller",
            Self::Unknown => "Speaker",
        }
    }
}

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
    /// Language as the speech server names it.
    pub language: Option<String>,
    /// The model that heard it.
    pub model: String,
    /// Whether the turns' times are the speech server's (or a detector's) and not just the length of a piece.
    pub timed: bool,
    /// Seconds of audio that were sent, which is what speech servers bill.
    pub billed_seconds: f64,
    /// US dollars, where the model's price is known.
    pub cost: Option<f64>,
}

impl Transcript {
    /// The text with one line per turn, `Agent: …`. Without speakers it is plain text (facts, Callmind gap 12).
    pub fn text(&self) -> String {
        let labelled = self.turns.iter().any(|t| t.speaker != Speaker::Unknown);
        let lines = self.turns.iter().map(|t| match labelled {
            true => format!("{}: {}", t.speaker.label(), t.text.trim()),
            false => t.text.trim().to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.turns.iter().map(|t| t.text.split_whitespace().count()).sum()
    }
}
