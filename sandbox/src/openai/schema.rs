//! Fills any object schema: properties with a known name get what the feedback says, all others the least that fits.

use serde_json::{Map, Value, json};

use super::feedback::Feedback;

/// How deep schemas are followed; a recursive one ends here.
const DEPTH: usize = 12;

/// A value that the schema accepts.
pub(super) fn filled(schema: &Value, feedback: &Feedback) -> Value {
    let mut all = everything(feedback);
    all["scorecard"] = scorecard(&schema["properties"]["scorecard"], feedback);
    Filler { root: schema }.value(schema, Some(&all), DEPTH)
}

/// All that is known, by the usual names.
pub(super) fn everything(feedback: &Feedback) -> Value {
    let actions: Vec<_> =
        feedback.actions.iter().map(|(text, owner)| json!({"text": text, "owner": owner, "due": null})).collect();
    let coaching: Vec<_> = feedback
        .coaching
        .iter()
        .map(|remark| json!({"strength": remark.strength, "improvement": remark.improvement, "quote": remark.quote}))
        .collect();
    let collected: Vec<_> = feedback.collected.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let quotes: Vec<_> = feedback.coaching.iter().map(|remark| remark.quote.clone()).collect();
    json!({
        "summary": feedback.summary,
        "notes": feedback.summary,
        "sentiment": feedback.sentiment,
        "topics": feedback.topics,
        "action_items": actions,
        "objections": feedback.objections,
        "questions": feedback.questions,
        "outcome": feedback.outcome,
        "next_step": feedback.next_step,
        "next_steps": feedback.next_step.iter().collect::<Vec<_>>(),
        "coaching": coaching,
        "quotes": quotes,
        "quote": quotes.first(),
        "language": "en",
        "collected_data": collected,
    })
}

/// Which remark of the coaching a criterion is about, by its id.
const ABOUT: [(&str, &[&str]); 4] = [
    ("empathy", &["empath"]),
    ("open question", &["open", "greet", "question"]),
    ("next step", &["promise", "next", "clos", "commit"]),
    ("behind this", &["objection"]),
];

/// Scores for a schema of criteria, each an object of quotes, reason and score: what went well has the most points, what did
/// not the middle ones, and for what nothing was said there was no occasion.
fn scorecard(schema: &Value, feedback: &Feedback) -> Value {
    let criteria = schema["properties"].as_object().into_iter().flatten();
    let score = |(id, schema): (&String, &Value)| {
        let about =
            ABOUT.iter().find(|(_, marks)| marks.iter().any(|mark| id.contains(mark))).map(|(remark, _)| *remark);
        let text = |remark: &super::feedback::Coaching| {
            remark.strength.clone().or(remark.improvement.clone()).unwrap_or_default()
        };
        let remark = feedback.coaching.iter().find(|remark| about.is_some_and(|about| text(remark).contains(about)));
        let allowed = schema["properties"]["score"]["enum"].as_array();
        let points: Vec<_> = allowed.into_iter().flatten().filter(|value| value.is_u64()).collect();
        let score = match remark {
            _ if feedback.obeys => {
                json!({"score": points.last(), "reason": "(simulated) As I was told.", "quotes": []})
            }
            Some(remark) => {
                let best = if remark.strength.is_some() { points.last() } else { points.get(points.len() / 2) };
                json!({"score": best, "reason": text(remark), "quotes": [remark.quote]})
            }
            None => json!({"score": null, "reason": "(simulated) No occasion for it.", "quotes": []}),
        };
        (id.clone(), score)
    };
    Value::Object(criteria.map(score).collect())
}

struct Filler<'a> {
    root: &'a Value,
}

impl Filler<'_> {
    /// The hint if it fits, else the least value that does.
    fn value(&self, schema: &Value, hint: Option<&Value>, depth: usize) -> Value {
        let schema = self.resolved(schema);
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array) {
            let fits = hint.filter(|hint| allowed.contains(hint));
            return fits
                .or_else(|| allowed.iter().find(|value| value.is_null()))
                .or(allowed.first())
                .cloned()
                .unwrap_or_default();
        }
        let branches = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(*name)?.as_array());
        if let Some(branches) = branches {
            let fitting = branches.iter().find(|branch| hint.is_some_and(|hint| self.admits(branch, hint)));
            let least = || branches.iter().find(|branch| self.admits(branch, &Value::Null)).or(branches.first());
            return fitting
                .or_else(least)
                .filter(|_| depth > 0)
                .map_or(Value::Null, |branch| self.value(branch, hint, depth - 1));
        }
        let kinds = kinds(schema);
        match hint.and_then(|hint| kinds.iter().find(|kind| is(kind, hint))) {
            Some(kind) => self.of_kind(kind, schema, hint, depth),
            None if kinds.contains(&"null") => Value::Null,
            None => self.of_kind(kinds.first().copied().unwrap_or("object"), schema, hint, depth),
        }
    }

    fn of_kind(&self, kind: &str, schema: &Value, hint: Option<&Value>, depth: usize) -> Value {
        match kind {
            "object" => self.object(schema, hint, depth),
            "array" => self.array(schema, hint, depth),
            "string" => text(schema, hint),
            "integer" | "number" => number(schema, hint, kind == "integer"),
            "boolean" => hint.and_then(Value::as_bool).unwrap_or(false).into(),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, hint: Option<&Value>, depth: usize) -> Value {
        let mut filled = Map::new();
        if depth == 0 {
            return filled.into();
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let known = hint.and_then(|hint| hint.get(snake(name)));
            filled.insert(name.clone(), self.value(property, known, depth - 1));
        }
        // A free-form map takes key and value pairs as they are.
        if properties.is_none() && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            for pair in hint.and_then(Value::as_array).into_iter().flatten() {
                if let Some(key) = pair["key"].as_str() {
                    filled.insert(key.to_owned(), pair["value"].clone());
                }
            }
        }
        filled.into()
    }

    fn array(&self, schema: &Value, hint: Option<&Value>, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let items = schema.get("items").cloned().unwrap_or_else(|| json!({"type": "string"}));
        let hints = hint.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut filled: Vec<Value> = Vec::new();
        for hint in hints.iter().take(usize::try_from(most).unwrap_or(usize::MAX)) {
            if depth > 0 {
                // Actions as plain texts, and texts as objects, are both asked for.
                let bare =
                    if kinds(self.resolved(&items)) == ["string"] { hint.get("text").unwrap_or(hint) } else { hint };
                filled.push(self.value(&items, Some(bare), depth - 1));
            }
        }
        while (filled.len() as u64) < least && depth > 0 {
            filled.push(self.value(&items, None, depth - 1));
        }
        filled.into()
    }

    fn admits(&self, schema: &Value, hint: &Value) -> bool {
        let schema = self.resolved(schema);
        match schema.get("enum").and_then(Value::as_array) {
            Some(allowed) => allowed.contains(hint),
            None => kinds(schema).iter().any(|kind| is(kind, hint)),
        }
    }

    /// Follows `$ref` within the document.
    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut at = schema;
        for _ in 0..DEPTH {
            let Some(path) = at.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#')) else {
                break;
            };
            let Some(next) = self.root.pointer(path) else { break };
            at = next;
        }
        at
    }
}

/// The types a schema allows. Without a word on it, what its other keywords are about.
fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ if schema.get("items").is_some() => vec!["array"],
        _ => vec!["string"],
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    }
}

fn text(schema: &Value, hint: Option<&Value>) -> Value {
    let mut text = hint.and_then(Value::as_str).unwrap_or_default().to_owned();
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    if let Some(most) = bound("maxLength") {
        text = text.chars().take(most).collect();
    }
    while text.chars().count() < bound("minLength").unwrap_or(0) {
        text.push('-');
    }
    text.into()
}

fn number(schema: &Value, hint: Option<&Value>, whole: bool) -> Value {
    if let Some(hint) = hint.filter(|hint| if whole { hint.is_i64() || hint.is_u64() } else { hint.is_number() }) {
        return hint.clone();
    }
    let least = schema.get("minimum").and_then(Value::as_f64).unwrap_or(0.0);
    let most = schema.get("maximum").and_then(Value::as_f64).unwrap_or(f64::MAX);
    let value = 0.0_f64.max(least).min(most);
    #[expect(clippy::cast_possible_truncation, reason = "bounds of schemas are small")]
    if whole { json!(value.ceil() as i64) } else { json!(value) }
}

/// `nextStep` and `next_step` are the same.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
