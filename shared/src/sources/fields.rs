//! A JSON object whose shape the customer chose, as a flat map with forgiving keys and values.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use chrono::{DateTime, TimeZone, Utc};
use serde_json::{Map, Value};

pub use super::loose::is_key;
use super::{Unusable, loose};
use crate::domain::Phone;

/// Objects that merely wrap the fields.
const WRAPPERS: [&str; 4] = ["call", "data", "cdr", "customdata"];

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
        self.first(names, loose::text)
    }

    /// Text fit for a key: short, and safe in a path.
    pub fn key(&self, names: &[&str]) -> Option<String> {
        self.text(names).filter(|text| is_key(text))
    }

    /// Whether the first of these that is there is a number that could not be kept to its last digit.
    pub fn is_rounded(&self, names: &[&str]) -> bool {
        self.first(names, |value| Some(loose::is_rounded(value))).unwrap_or_default()
    }

    /// A phone number, of the first name that has a plausible one.
    pub fn phone(&self, names: &[&str]) -> Option<Phone> {
        names.iter().find_map(|name| Phone::parse(&self.text(&[name])?))
    }

    /// Seconds: `120`, `"120"`, `"120s"`, `"2:00"`, `"0:02:00"`.
    pub fn seconds(&self, names: &[&str]) -> Option<f64> {
        names.iter().find_map(|name| loose::seconds(&self.text(&[name])?))
    }

    /// A moment of the years 2000 to 2100; one without a time zone is taken as UTC, as CloudTalk's API writes it.
    pub fn time(&self, names: &[&str]) -> Option<DateTime<Utc>> {
        self.time_in(names, &Utc)
    }

    /// The same, where a moment without a time zone is of this one.
    pub fn time_in(&self, names: &[&str], zone: &impl TimeZone) -> Option<DateTime<Utc>> {
        names.iter().find_map(|name| loose::moment(&self.text(&[name])?, zone))
    }

    /// A switch. Text that is neither yes nor no (a URL, a file name) says that the thing is there.
    pub fn flag(&self, names: &[&str]) -> Option<bool> {
        self.first(names, loose::flag)
    }

    fn first<T>(&self, names: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        names.iter().find_map(|name| self.0.get(*name).and_then(&read))
    }

    /// Plain values outrank nested ones, outer ones inner ones.
    fn absorb(&mut self, object: &Map<String, Value>, depth: u8) {
        self.keep("", object);
        let nested = || object.iter().filter_map(|(name, value)| Some((loose::normal(name), value.as_object()?)));
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
            if let Some(value) = loose::present(value) {
                self.0.entry(format!("{prefix}{}", loose::normal(name))).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<DateTime<Utc>> {
        let body = serde_json::json!({"at": text}).to_string();
        Fields::parse(body.as_bytes()).ok()?.time(&["at"])
    }

    #[test]
    fn a_moment_of_another_century_is_none() {
        for text in ["2026-11-20T09:00:00Z", "2026-11-20 09:00:00", "1795165260", "1795165260000"] {
            assert!(time(text).is_some(), "{text}");
        }
        for text in ["0001-01-01T00:00:00Z", "1999-12-31 23:59:59", "9999-12-31T23:59:59Z", "99999999999999"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
