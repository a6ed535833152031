//! From what the model wrote to what it judged. Servers that ignore the schema wrap JSON in a code fence, put prose or
//! their reasoning before it, or bend its values: what is meant clearly is taken, all else gets one chance of repair.

use serde::Deserialize;
use serde_json::Value;

use super::{
    prompt,
    wire::{Completion, Finish, null_is_default},
};
use crate::domain::{ActionItem, Coaching, Judged, Owner, Sentiment, StepError, Transcript, quote_occurs};

/// Why a reply cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The model declined.
    Refused,
    /// The server withheld it.
    Filtered,
    /// It was cut off at the limit of tokens.
    CutOff,
    /// There is no JSON object in it.
    NotJson,
    /// The JSON does not fit the schema. The detail may repeat words of the call: for the model only, not for logs.
    OffSchema(String),
}

impl Unusable {
    /// What the model is told to do better; `None` when asking again is pointless.
    pub(super) fn complaint(&self) -> Option<String> {
        match self {
            Self::Refused | Self::Filtered => None,
            Self::CutOff => Some("it was cut off at the limit of length. Be much shorter.".into()),
            Self::NotJson => Some("it holds no valid JSON object.".into()),
            Self::OffSchema(detail) => Some(format!("it does not fit the schema: {detail}.")),
        }
    }
}

impl From<Unusable> for StepError {
    fn from(unusable: Unusable) -> Self {
        let (reason, what) = match unusable {
            Unusable::Refused => ("model-refused", "the model declined to review the call"),
            Unusable::Filtered => ("model-content-filter", "the model server's filter withheld the reply"),
            Unusable::CutOff => ("model-reply-cut-off", "the reply was cut off twice at the limit of tokens"),
            Unusable::NotJson => {
                return Self::retry("model-reply-not-json", anyhow::anyhow!("twice the reply held no JSON object"));
            }
            Unusable::OffSchema(_) => {
                ("model-reply-off-schema", "the reply did not fit the schema, nor did the repaired one")
            }
        };
        Self::fail(reason, anyhow::anyhow!(what))
    }
}

/// Reads a reply. The second value counts the quotes that were taken out because nobody said them.
pub(super) fn read(completion: &Completion, transcript: &Transcript) -> Result<(Judged, usize), Unusable> {
    match completion.finish() {
        Finish::Refused => return Err(Unusable::Refused),
        Finish::Filtered => return Err(Unusable::Filtered),
        Finish::CutOff => return Err(Unusable::CutOff),
        Finish::Complete => {}
    }
    let object = object(&completion.text()).ok_or(Unusable::NotJson)?;
    let reply: Reply = serde_json::from_value(object).map_err(|e| Unusable::OffSchema(e.to_string()))?;
    let mut judged = reply.judged()?;
    let removed = remove_unsaid(&mut judged.coaching, transcript);
    Ok((judged, removed))
}

/// The first JSON object in the text that looks like a reply; else the first object at all.
fn object(text: &str) -> Option<Value> {
    let objects = || {
        text.match_indices('{').filter_map(|(at, _)| {
            let first = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next();
            first?.ok().filter(Value::is_object)
        })
    };
    objects().find(|o| o.get("summary").is_some()).or_else(|| objects().next())
}

/// The schema, read leniently: null for an empty list, a map for the list of pairs, other spellings of fixed values.
#[derive(Deserialize)]
struct Reply {
    summary: String,
    sentiment: String,
    #[serde(default, deserialize_with = "null_is_default")]
    topics: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    action_items: Vec<Promise>,
    #[serde(default, deserialize_with = "null_is_default")]
    objections: Vec<String>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    next_step: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    coaching: Vec<Coaching>,
    #[serde(default)]
    collected_data: Value,
}

#[derive(Deserialize)]
struct Promise {
    text: String,
    #[serde(default)]
    owner: Option<String>,
}

impl Reply {
    fn judged(self) -> Result<Judged, Unusable> {
        let summary = said(Some(self.summary)).ok_or_else(|| Unusable::OffSchema("summary is empty".into()))?;
        let coaching = self.coaching.into_iter().map(|c| Coaching {
            strength: said(c.strength),
            improvement: said(c.improvement),
            quote: said(c.quote),
        });
        Ok(Judged {
            summary,
            sentiment: sentiment(&self.sentiment)?,
            topics: all_said(self.topics),
            action_items: self.action_items.into_iter().filter_map(action_item).collect(),
            objections: all_said(self.objections),
            outcome: said(self.outcome),
            next_step: said(self.next_step),
            coaching: coaching.filter(|c| c.strength.is_some() || c.improvement.is_some()).collect(),
            collected_data: pairs(&self.collected_data),
        })
    }
}

fn sentiment(text: &str) -> Result<Sentiment, Unusable> {
    match text.trim().to_lowercase().as_str() {
        "positive" => Ok(Sentiment::Positive),
        "neutral" => Ok(Sentiment::Neutral),
        "negative" => Ok(Sentiment::Negative),
        _ => Err(Unusable::OffSchema("sentiment is none of positive, neutral, negative".into())),
    }
}

fn action_item(promise: Promise) -> Option<ActionItem> {
    let owner = match promise.owner.unwrap_or_default().trim().to_lowercase().as_str() {
        "agent" => Owner::Agent,
        "customer" | "caller" => Owner::Customer,
        _ => Owner::Unknown,
    };
    said(Some(promise.text)).map(|text| ActionItem { text, owner })
}

/// `[{"key", "value"}]` as asked for, or the map that models like to make of it.
fn pairs(data: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => said(Some(text.clone())),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let found: Vec<(Option<String>, Option<String>)> = match data {
        Value::Array(items) => items.iter().map(|i| (text(&i["key"]), text(&i["value"]))).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (said(Some(key.clone())), text(value))).collect(),
        _ => Vec::new(),
    };
    found.into_iter().filter_map(|(key, value)| Some((key?, value?))).collect()
}

fn said(text: Option<String>) -> Option<String> {
    text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

fn all_said(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().filter_map(|t| said(Some(t))).collect()
}

/// Takes out quotes that do not occur, word for word, in what one party said in one go.
fn remove_unsaid(coaching: &mut [Coaching], transcript: &Transcript) -> usize {
    let spoken = prompt::spoken(transcript);
    let mut removed = 0;
    for advice in coaching {
        let quote = advice.quote.as_deref().map(prompt::without_name);
        match quote.filter(|quote| spoken.iter().any(|words| quote_occurs(quote, words))) {
            Some(quote) => advice.quote = Some(quote.to_owned()),
            None => removed += usize::from(advice.quote.take().is_some()),
        }
    }
    removed
}

#[cfg(test)]
mod tests;
