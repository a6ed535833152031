//! What ElevenLabs itself makes of a conversation (facts: telephony §3.2, `analysis`): a summary, the data that the agent was set
//! to collect, and whether the call came up to the criteria that it was set to meet.

use serde_json::Value;

use super::payload::Post;
use crate::{
    domain::{Coaching, Judged},
    sources::loose,
};

impl Post {
    /// The analysis, in the form of a judgement; `None` where there is none. Of the mood it says nothing.
    pub(super) fn judged(&self) -> Option<Judged> {
        let summary = ["/data/analysis/transcript_summary", "/data/analysis/call_summary_title"];
        let judged = Judged {
            summary: summary.iter().find_map(|at| self.text(at)).unwrap_or_default(),
            outcome: self.text("/data/analysis/call_successful").filter(|outcome| outcome != "unknown"),
            coaching: self.entries("/data/analysis/evaluation_criteria_results").filter_map(met).collect(),
            collected_data: self.entries("/data/analysis/data_collection_results").filter_map(collected).collect(),
            ..Judged::default()
        };
        let said = !judged.summary.is_empty() || !judged.collected_data.is_empty() || !judged.coaching.is_empty();
        said.then_some(judged)
    }

    fn entries(&self, at: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.at(at).and_then(Value::as_object).into_iter().flatten()
    }
}

/// A criterion that was met is a strength, and one that was not an improvement; each with the reason that is given.
fn met((name, entry): (&String, &Value)) -> Option<Coaching> {
    let reason = plain(&entry["rationale"]).map(|reason| format!(": {reason}")).unwrap_or_default();
    let told = Some(format!("{name}{reason}"));
    match entry["result"].as_str().or(entry.as_str())? {
        "success" => Some(Coaching { strength: told, improvement: None, quote: None }),
        "failure" => Some(Coaching { strength: None, improvement: told, quote: None }),
        _ => None,
    }
}

/// Values are told with their reason, or bare.
fn collected((name, entry): (&String, &Value)) -> Option<(String, String)> {
    let value = match entry {
        Value::Object(entry) => entry.get("value")?,
        bare => bare,
    };
    Some((name.clone(), plain(value)?))
}

fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => loose::shown(text),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}
