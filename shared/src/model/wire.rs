//! Chat Completions as servers really answer: everything may be missing or null, and only what we use is read.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::domain::Usage;

/// An answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Completion {
    #[serde(default, deserialize_with = "null_is_default")]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Choice {
    #[serde(default, deserialize_with = "null_is_default")]
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: Value,
    #[serde(default)]
    refusal: Option<String>,
}

/// How the model ended its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// It said all it had to say.
    Complete,
    /// It reached the limit of tokens.
    CutOff,
    /// The server's filter withheld it.
    Filtered,
    /// The model declined.
    Refused,
}

impl Completion {
    /// Whether the server gave a reply at all. Some gateways answer 200 with nothing but an `error`.
    pub(super) fn is_answer(&self) -> bool {
        !self.choices.is_empty()
    }

    /// How the reply ended.
    pub(super) fn finish(&self) -> Finish {
        let refused =
            self.choices.iter().any(|c| c.message.refusal.as_deref().is_some_and(|text| !text.trim().is_empty()));
        match self.choices.first().and_then(|c| c.finish_reason.as_deref()) {
            _ if refused => Finish::Refused,
            Some("length" | "max_tokens") => Finish::CutOff,
            Some("content_filter") => Finish::Filtered,
            _ => Finish::Complete,
        }
    }

    /// The text of the reply; a list of parts is put together.
    pub(super) fn text(&self) -> String {
        match self.choices.first().map(|c| &c.message.content) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
            _ => String::new(),
        }
    }

    /// What this answer took; its cost is for the caller to know.
    pub(super) fn usage(&self) -> Usage {
        let count = |name: &str| tokens(&self.usage[name]);
        Usage { input_tokens: count("prompt_tokens"), output_tokens: count("completion_tokens"), cost: None }
    }
}

/// A number of tokens, in whatever type; 0 when it is none. More than any request takes is cut off.
fn tokens(count: &Value) -> i64 {
    let number = match count {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.unwrap_or_default().clamp(0.0, f64::from(u32::MAX)) as i64
}

/// `null` counts as absent.
pub(super) fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
