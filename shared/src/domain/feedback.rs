//! Feedback: what was measured from the turns, and what a model judged.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Scored;

/// Feedback on one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    /// Computed from turns and audio.
    pub measured: Measured,
    /// What the model said, checked; or the provider, as it says it.
    pub judged: Judged,
    /// What it scored by the operator's scorecard, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scorecard: Option<Scored>,
    /// The model that judged, or the provider.
    pub model: String,
    /// Version of prompt and schema; empty where the provider judged.
    pub prompt_version: String,
    /// In how many parts the transcript was condensed before it was judged, where it was too long for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// What it took.
    pub usage: Usage,
}

impl Feedback {
    /// Whether the judgement is the provider's own: no model of ours saw the call.
    pub fn is_the_providers(&self) -> bool {
        self.prompt_version.is_empty()
    }
}

/// What can be computed. A value that the recording does not allow is absent, never zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Measured {
    /// Seconds.
    pub duration_seconds: f64,
    /// Share of the call in which nobody speaks, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ratio: Option<f64>,
    /// Longest stretch in which nobody speaks, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_silence_seconds: Option<f64>,
    /// The agent's share of all talk, 0 to 1; silence is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub talk_ratio: Option<f64>,
    /// Times that a speaker began while the other was talking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interruptions: Option<u32>,
    /// Words per minute of talk, all speakers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
    /// The agent alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<PartyMeasured>,
    /// The caller alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<PartyMeasured>,
}

/// What can be computed of one party.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartyMeasured {
    /// Seconds of talk.
    pub talk_seconds: f64,
    /// Longest stretch of talk without the other taking over, seconds.
    pub longest_monologue_seconds: f64,
    /// Words per minute of talk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words_per_minute: Option<f64>,
}

/// The mood of the other party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sentiment {
    /// Content.
    Positive,
    /// Neither.
    Neutral,
    /// Discontent.
    Negative,
}

impl Sentiment {
    /// The name in sinks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Neutral => "neutral",
            Self::Negative => "negative",
        }
    }
}

/// What the model judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Judged {
    /// A few sentences.
    pub summary: String,
    /// The other party's mood; absent where the provider judged and does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<Sentiment>,
    /// What it was about.
    #[serde(default)]
    pub topics: Vec<String>,
    /// What was promised.
    #[serde(default)]
    pub action_items: Vec<ActionItem>,
    /// What the other party held against it.
    #[serde(default)]
    pub objections: Vec<String>,
    /// How it ended.
    #[serde(default)]
    pub outcome: Option<String>,
    /// What should happen next.
    #[serde(default)]
    pub next_step: Option<String>,
    /// Advice to the agent.
    #[serde(default)]
    pub coaching: Vec<Coaching>,
    /// What the other party gave (name, e-mail, account number…), in the order it was given.
    #[serde(default)]
    pub collected_data: Vec<(String, String)>,
}

/// Something that was promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionItem {
    /// What.
    pub text: String,
    /// By whom.
    pub owner: Owner,
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Our side.
    Agent,
    /// The other side.
    Customer,
    /// Not said.
    Unknown,
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Coaching {
    /// What was good.
    #[serde(default)]
    pub strength: Option<String>,
    /// What could be better.
    #[serde(default)]
    pub improvement: Option<String>,
    /// The words that show it: verbatim from the transcript, or absent.
    #[serde(default)]
    pub quote: Option<String>,
}

/// What a model call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// US dollars, where the model's price is known.
    pub cost: Option<f64>,
}

impl Usage {
    /// Adds another model call's tokens; what they cost is known to who knows the model.
    pub fn add(&mut self, other: &Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}
