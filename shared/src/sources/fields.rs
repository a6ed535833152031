//! A JSON object whose shape the customer chose, as a flat map with forgiving keys and values.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use super::Unusable;
use crate::domain::Phone;

/// Objects that merely wrap the fields.
const WRAPPERS: [&str; 4] = ["call", "data", "cdr", "customdata"];
/// What the workflow editor inserts for an attribute that is not there, or is an object (facts: telephony §1.2).
const ABSENT: [&str; 4] = ["", "undefined", "null", "[object Object]"];
/// Longest duration that is believed, in seconds.
const WEEK: f64 = 7.0 * 86_400.0;

/// Fields by name; case, `_`, `-`, `.` and spaces in names do not matter. `{"recording": {"url": …}}` is found under
/// `recordingurl`, like `recording_url`.
pub struct Fields(BTreeMap<String, Value>);

/// Says 415 to forms. Any other content type will do, and none: what counts is that the body is a JSON object.
///
/// # Errors
/// [`Unusable::MediaType`].
pub fn refuse_forms(headers: &HeaderMap) -> Result<(), Unusable> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-www-form-urlencoded" | "multipart/form-data" => {
            Err(Unusable::MediaType { expected: "application/json" })
        }
        _ => Ok(()),
    }
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Unusable::Malformed`], when it is no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, Unusable> {
        let Ok(Value::Object(top)) = serde_json::from_slice(body) else {
            return Err(Unusable::Malformed { expected: "a JSON object" });
        };
        let mut fields = Self(BTreeMap::new());
        fields.absorb(&top, 1);
        Ok(fields)
    }

    /// Text, or a number as text.
    pub fn text(&self, names: &[&str]) -> Option<String> {
        self.first(names, |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(match (number.as_i64(), number.as_f64()) {
                (None, Some(float)) if float.fract() == 0.0 => format!("{float:.0}"),
                _ => number.to_string(),
            }),
            _ => None,
        })
    }

    /// Text fit for a key: short, and safe in a path.
    pub fn key(&self, names: &[&str]) -> Option<String> {
        self.text(names).filter(|text| is_key(text))
    }

    /// A phone number, of the first name that has a plausible one.
    pub fn phone(&self, names: &[&str]) -> Option<Phone> {
        names.iter().find_map(|name| Phone::parse(&self.text(&[name])?))
    }

    /// Seconds: `120`, `"120"`, `"120s"`, `"2:00"`, `"0:02:00"`.
    pub fn seconds(&self, names: &[&str]) -> Option<f64> {
        names.iter().find_map(|name| seconds(&self.text(&[name])?))
    }

    /// A moment; one without a time zone is taken as UTC, which is what CloudTalk's API writes.
    pub fn time(&self, names: &[&str]) -> Option<DateTime<Utc>> {
        names.iter().find_map(|name| moment(&self.text(&[name])?))
    }

    /// A switch. Text that is neither yes nor no (a URL, a file name) says that the thing is there.
    pub fn flag(&self, names: &[&str]) -> Option<bool> {
        self.first(names, |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => Some(number.as_f64() != Some(0.0)),
            Value::String(text) => {
                Some(!matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0" | "none" | "n"))
            }
            _ => None,
        })
    }

    fn first<T>(&self, names: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        names.iter().find_map(|name| self.0.get(*name).and_then(&read))
    }

    /// Plain values outrank nested ones, outer ones inner ones.
    fn absorb(&mut self, object: &Map<String, Value>, depth: u8) {
        self.keep("", object);
        let nested = || object.iter().filter_map(|(name, value)| Some((normal(name), value.as_object()?)));
        for (name, inner) in nested() {
            self.keep(&name, inner);
            self.0.entry(name).or_insert(Value::Bool(true));
        }
        for (_, inner) in nested().filter(|(name, _)| depth > 0 && WRAPPERS.contains(&name.as_str())) {
            self.absorb(inner, depth - 1);
        }
    }

    fn keep(&mut self, prefix: &str, object: &Map<String, Value>) {
        for (name, value) in object {
            if let Some(value) = present(value) {
                self.0.entry(format!("{prefix}{}", normal(name))).or_insert(value);
            }
        }
    }
}

fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn present(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) => {
            // PostgreSQL keeps no NUL in text.
            let text = text.trim().replace('\0', "");
            (!ABSENT.contains(&text.as_str())).then_some(Value::String(text))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a text is fit for a key: short, and safe in a path.
pub fn is_key(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=64).contains(&text.len()) && text.chars().all(safe) && text.chars().any(|c| c != '0')
}

fn seconds(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|c: char| c.is_alphabetic() || c == '.').trim_end();
    let unit = text[number.len()..].trim();
    if !matches!(unit, "" | "s" | "sec" | "sec." | "secs" | "second" | "seconds") {
        return None;
    }
    let mut total = 0.0;
    for part in number.split(':') {
        let part: f64 = part.trim().parse().ok().filter(|part: &f64| *part >= 0.0)?;
        total = total * 60.0 + part;
    }
    (total < WEEK).then_some(total)
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(number) = text.parse::<i64>() {
        let at =
            if number > 100_000_000_000 { DateTime::from_timestamp_millis } else { |s| DateTime::from_timestamp(s, 0) };
        return at(number).filter(|_| number > 1_000_000_000);
    }
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(|at| at.and_utc())
}
