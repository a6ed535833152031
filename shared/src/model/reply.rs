//! From what the model wrote to what it judged. Servers that ignore the schema wrap JSON in a code fence, put prose or
//! their reasoning before it, or bend its values: what is meant clearly is taken, all else gets one chance of repair.

use serde::Deserialize;
use serde_json::Value;

use super::{
    prompt, scores,
    wire::{Completion, Finish, null_is_default},
};
use crate::domain::{ActionItem, Coaching, Judged, Owner, Scorecard, Scored, Sentiment, Spoken, StepError};

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

/// A reply that can be used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) judged: Judged,
    /// Where there is a scorecard.
    pub(super) scorecard: Option<Scored>,
    /// Quotes that were taken out because nobody said them.
    pub(super) quotes_removed: usize,
}

/// Reads a reply with feedback.
pub(super) fn read(completion: &Completion, spoken: &Spoken, scorecard: Option<&Scorecard>) -> Result<Read, Unusable> {
    let object = object(completion, "summary")?;
    let scores = object.get("scorecard").cloned().unwrap_or_default();
    let mut judged = parse::<Reply>(object)?.judged()?;
    let mut quotes_removed = remove_unsaid(&mut judged.coaching, spoken);
    let scorecard = scorecard.map(|card| scores::read(card, scores, spoken, &mut quotes_removed)).transpose()?;
    Ok(Read { judged, scorecard, quotes_removed })
}

/// What the model is to know of a part of a call: the notes, and words that were said in it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    pub(super) notes: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) quotes: Vec<String>,
}

/// Reads a reply with notes on a part.
pub(super) fn read_part(completion: &Completion) -> Result<Part, Unusable> {
    let part: Part = parse(object(completion, "notes")?)?;
    if part.notes.trim().is_empty() {
        return Err(Unusable::OffSchema("notes is empty".into()));
    }
    Ok(part)
}

/// The first JSON object in the reply that has this key, else the one from the first bracket to the last: an object
/// inside a broken one is no reply.
fn object(completion: &Completion, key: &str) -> Result<Value, Unusable> {
    match completion.finish() {
        Finish::Refused => return Err(Unusable::Refused),
        Finish::Filtered => return Err(Unusable::Filtered),
        Finish::CutOff => return Err(Unusable::CutOff),
        Finish::Complete => {}
    }
    let text = completion.text();
    let objects = || {
        text.match_indices('{').filter_map(|(at, _)| {
            let first = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next();
            first?.ok().filter(Value::is_object)
        })
    };
    let whole = || serde_json::from_str(text.get(text.find('{')?..=text.rfind('}')?)?).ok();
    objects().find(|o| o.get(key).is_some()).or_else(whole).ok_or(Unusable::NotJson)
}

fn parse<T: serde::de::DeserializeOwned>(object: Value) -> Result<T, Unusable> {
    serde_json::from_value(object).map_err(|e| Unusable::OffSchema(e.to_string()))
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
            sentiment: Some(sentiment(&self.sentiment)?),
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

/// The quote as it was said, without the name in front; `None` where nobody said it.
pub(super) fn verified(quote: &str, spoken: &Spoken) -> Option<String> {
    let quote = prompt::without_name(quote);
    spoken.by(quote).map(|_| quote.to_owned())
}

fn remove_unsaid(coaching: &mut [Coaching], spoken: &Spoken) -> usize {
    let mut removed = 0;
    for advice in coaching {
        let Some(quote) = advice.quote.take() else { continue };
        advice.quote = verified(&quote, spoken);
        removed += usize::from(advice.quote.is_none());
    }
    removed
}

#[cfg(test)]
mod tests;
