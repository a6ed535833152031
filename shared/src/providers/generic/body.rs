//! A body whose shape nobody told us: a JSON object, or a form. Every value of it, with the names that lead to it.

use std::collections::VecDeque;

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::names::WRAPPERS;
use crate::sources::{Unusable, loose};

/// Values that are looked at, outer ones first, and how deep: a webhook about a call has some dozens.
const MOST: usize = 4096;
const DEEPEST: usize = 12;

/// A body that was read.
pub(super) struct Body {
    root: Value,
    leaves: Vec<Leaf>,
}

/// A value that is no object or array, and says something.
pub(super) struct Leaf {
    /// The names that lead to it, normalised. Places in arrays have none.
    pub(super) path: Vec<String>,
    pub(super) value: Value,
}

impl Leaf {
    /// Whether it is called that: by its own name, or by its own and the one above (`{"recording": {"url": …}}`).
    fn is_called(&self, name: &str) -> bool {
        let (last, above) = match self.path.as_slice() {
            [.., above, last] => (last, above.as_str()),
            [last] => (last, ""),
            [] => return false,
        };
        last == name || (!above.is_empty() && name.strip_prefix(above).is_some_and(|rest| rest == last))
    }

    /// Whether it is a field of the call itself and not of something within.
    fn is_outer(&self) -> bool {
        let above = self.path.split_last().map_or(&[][..], |(_, above)| above);
        above.iter().all(|name| WRAPPERS.contains(&name.as_str()))
    }
}

/// Says 415 to uploads of files. Any other content type will do, and none: what counts is what the body is.
pub(super) fn refuse_uploads(headers: &HeaderMap) -> Result<(), Unusable> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return Err(Unusable::MediaType { expected: "application/json or application/x-www-form-urlencoded" });
    }
    Ok(())
}

impl Body {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Unusable> {
        let malformed = Unusable::Malformed { expected: "a JSON object or a form" };
        let root = match body.trim_ascii_start().first() {
            Some(b'{') => serde_json::from_slice(body).map_err(|_| malformed)?,
            Some(b'[' | b'"' | b'<') | None => return Err(malformed),
            Some(_) => Value::Object(form(body).ok_or(malformed)?),
        };
        let leaves = leaves(&root);
        Ok(Self { root, leaves })
    }

    /// What JSON pointer it lies at.
    pub(super) fn at(&self, pointer: &str) -> Option<Value> {
        self.root.pointer(pointer).and_then(loose::present)
    }

    /// Every value, outer ones first.
    pub(super) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// What can be read of a value that has one of these names. Earlier names outrank later ones, outer values inner ones.
    pub(super) fn named<T>(&self, names: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let mut found = names.iter().flat_map(|name| self.leaves.iter().filter(|leaf| leaf.is_called(name)));
        found.find_map(|leaf| read(&leaf.value))
    }

    /// The same among the fields of the call itself: for names that mean something else elsewhere.
    pub(super) fn outer<T>(&self, names: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let own = |leaf: &&Leaf, name: &str| leaf.is_outer() && leaf.path.last().is_some_and(|last| last == name);
        let mut found = names.iter().flat_map(|name| self.leaves.iter().filter(move |leaf| own(leaf, name)));
        found.find_map(|leaf| read(&leaf.value))
    }
}

/// The fields of a form. What is no form at all reads as one field without a value.
fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let fields: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    let said = fields.iter().any(|(_, value)| !value.is_empty());
    said.then(|| fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

fn leaves(root: &Value) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut waiting = VecDeque::from([(Vec::new(), root)]);
    let mut seen = 0;
    while let Some((path, value)) = waiting.pop_front() {
        seen += 1;
        if seen > MOST {
            break;
        }
        let room = MOST.saturating_sub(waiting.len());
        match value {
            Value::Object(object) if path.len() < DEEPEST => {
                let inner = object.iter().take(room).map(|(name, value)| {
                    let path = path.iter().cloned().chain([loose::normal(name)]).collect();
                    (path, value)
                });
                waiting.extend(inner);
            }
            Value::Array(array) if path.len() < DEEPEST => {
                waiting.extend(array.iter().take(room).map(|value| (path.clone(), value)));
            }
            _ => leaves.extend(loose::present(value).map(|value| Leaf { path, value })),
        }
    }
    leaves
}
