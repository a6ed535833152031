//! Whether a JSON value has the form that a description gives it: as much of JSON Schema as the description uses. Stricter in
//! one thing: where an object's fields are listed, there are no others.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The document that references lead into.
pub(crate) struct Schemas<'d>(pub(crate) &'d Value);

impl Schemas<'_> {
    /// Panics unless the answer is as the operation says for that status.
    pub(crate) fn check(&self, operation: &Value, status: &str, answer: &Value, what: &str) {
        let content = operation["responses"][status]["content"].as_object();
        let content = content.unwrap_or_else(|| panic!("{what}: {status} is not described"));
        let schema = &content.values().next().unwrap()["schema"];
        let complaints = self.complaints(schema, answer, what);
        assert!(complaints.is_empty(), "{complaints:#?}\nin {answer:#}");
    }

    fn complaints(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = self.resolved(schema);
        for choice in ["oneOf", "anyOf"] {
            if let Some(options) = schema[choice].as_array() {
                let tried: Vec<_> = options.iter().map(|option| self.complaints(option, value, at)).collect();
                return tried.into_iter().min_by_key(Vec::len).unwrap();
            }
        }
        if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
            return vec![format!("{at}: {value} is not one of {}", schema["enum"])];
        }
        if let Some(value) = value.as_object().filter(|_| !self.fields(schema).0.is_empty()) {
            let (fields, required) = self.fields(schema);
            let missing =
                required.iter().filter(|name| !value.contains_key(**name)).map(|name| format!("{at}.{name}: missing"));
            let own = value.iter().flat_map(|(name, value)| match fields.get(name.as_str()) {
                Some(schema) => self.complaints(schema, value, &format!("{at}.{name}")),
                None => vec![format!("{at}.{name}: not described")],
            });
            return missing.chain(own).collect();
        }
        if let (Some(values), Some(_)) = (value.as_array(), schema.get("items")) {
            return values
                .iter()
                .flat_map(|value| self.complaints(&schema["items"], value, &format!("{at}[]")))
                .collect();
        }
        match self.kinds(schema) {
            kinds if kinds.is_empty() || kinds.contains(kind(value)) => Vec::new(),
            kinds if kinds.contains("number") && value.is_number() => Vec::new(),
            kinds => vec![format!("{at}: {} where {kinds:?} is expected", kind(value))],
        }
    }

    /// What an object may and must hold, with what it is composed of.
    fn fields<'s>(&'s self, schema: &'s Value) -> (BTreeMap<&'s str, &'s Value>, BTreeSet<&'s str>) {
        let schema = self.resolved(schema);
        let own = schema["properties"].as_object().into_iter().flatten().map(|(name, schema)| (name.as_str(), schema));
        let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let (mut fields, mut required): (BTreeMap<_, _>, BTreeSet<_>) = (own.collect(), needed.collect());
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let (more, needed) = self.fields(part);
            fields.extend(more);
            required.extend(needed);
        }
        (fields, required)
    }

    fn kinds<'s>(&self, schema: &'s Value) -> BTreeSet<&'s str> {
        match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect(),
        }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
