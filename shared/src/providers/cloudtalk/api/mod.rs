//! CloudTalk's REST API (facts: telephony §1.4), for one company, within the 60 requests per minute that it has.
//!
//! Each resource has a file; to add one, its file with an `impl Api`. The vendor's habits end here: ids and phone numbers
//! come as text or number, lists and objects for one another, and an answer of 200 may hold another status.

mod agents;
mod calls;
mod campaigns;
mod contacts;
mod credentials;
mod notes;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, header::ACCEPT};
use serde_json::Value;

use self::credentials::Credentials;
pub use self::{
    agents::{Agent, Availability, Dialled},
    campaigns::Campaign,
    contacts::{Contact, ContactFields},
    notes::Note,
};
use super::{ANALYTICS_URL, BASE_URL, NAME, RATE};
use crate::{
    budgets::Limit,
    env::Env,
    http::{ClientError, Outside, Vendor},
};

const DEFAULT_BASE: &str = "https://my.cloudtalk.io/api";
const DEFAULT_ANALYTICS: &str = "https://analytics-api.cloudtalk.io/api";
/// Rows of a page of a list; the most there can be.
const PAGE: usize = 1000;
/// Pages of a list that are read at most.
const PAGES: usize = 20;
/// Longest explanation of the vendor that is kept in an error.
const SAID_LIMIT: usize = 200;

/// Asks CloudTalk. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    vendor: Vendor,
    base: String,
    analytics: Option<String>,
    credentials: Credentials,
}

impl Api {
    /// `None` without credentials.
    ///
    /// # Errors
    /// When there is half a key pair, or a setting cannot be used. Names the variable.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let base = base(env)?;
        // 60 operations per minute and company.
        let limit = Limit::new(env.parsed(RATE, 60)?, Duration::from_secs(60));
        // Another server than CloudTalk's own has no analytics unless it says where.
        let analytics = (base == DEFAULT_BASE || env.var(ANALYTICS_URL).is_some())
            .then(|| env.base_url(ANALYTICS_URL, DEFAULT_ANALYTICS))
            .transpose()?;
        let credentials = Credentials::from_env(env)?;
        Ok(credentials.map(|credentials| Self { vendor: outside.vendor(NAME, limit), base, analytics, credentials }))
    }

    /// Makes one harmless request.
    ///
    /// # Errors
    /// [`ClientError`], as when the credentials are refused.
    pub async fn check(&self) -> Result<(), ClientError> {
        self.send(self.request(Method::GET, "/calls/index.json").query(&[("limit", "1")])).await.map(drop)
    }

    /// The recording of a call: its bytes, a page, or a redirect, as it comes.
    pub(super) async fn recording(&self, call_id: &str) -> Result<Response, ClientError> {
        self.vendor.send(self.request(Method::GET, &format!("/calls/recording/{call_id}.json"))).await
    }

    /// Reads an answer of 2xx that should have been bytes, and is a page: it may hold another status than the answer had.
    pub(super) async fn said(&self, response: Response) -> ClientError {
        let page = ClientError::from_response(NAME, response, self.vendor.clock().now()).await;
        match hidden_status(&serde_json::from_str(&page.body).unwrap_or_default()) {
            Some(status) => ClientError::from_parts(NAME, status, None, page.body),
            None => ClientError::nonsense(NAME, "answered with a page instead of the recording"),
        }
    }

    /// A signed request to a path that begins with `/`.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.vendor.http().request(method, format!("{}{path}", self.base));
        // Without it some requests are answered with 404 or 406.
        self.credentials.sign(request).header(ACCEPT, "application/json, */*")
    }

    /// Sends a request and takes its answer out of the envelope `responseData`, whose own status counts, too.
    async fn send(&self, request: RequestBuilder) -> Result<Value, ClientError> {
        let response = self.vendor.send(request).await.map_err(explained)?;
        let body = response.text().await.map_err(|error| ClientError::from_transport(NAME, &error))?;
        let mut envelope: Value = serde_json::from_str(&body).unwrap_or_default();
        match hidden_status(&envelope) {
            Some(status) => Err(explained(ClientError::from_parts(NAME, status, None, body))),
            None if envelope["responseData"].is_null() => {
                Err(ClientError::nonsense(NAME, "answered something other than promised"))
            }
            None => Ok(envelope["responseData"].take()),
        }
    }

    /// All rows of a list.
    async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, ClientError> {
        let mut rows = Vec::new();
        for page in 1..=PAGES {
            let (more, last) = self.page(path, query, page, PAGE).await?;
            rows.extend(more);
            if last {
                break;
            }
        }
        Ok(rows)
    }

    /// One page of a list, and whether it is the last one.
    async fn page(
        &self,
        path: &str,
        query: &[(&str, &str)],
        page: usize,
        limit: usize,
    ) -> Result<(Vec<Value>, bool), ClientError> {
        let request = self.request(Method::GET, path).query(query).query(&[("limit", limit), ("page", page)]);
        let mut answer = self.send(request).await?;
        let last = number(&answer["pageCount"]).is_none_or(|pages| page as u64 >= pages);
        match answer["data"].take() {
            Value::Array(rows) => Ok((rows, last)),
            _ => Err(ClientError::nonsense(NAME, "answered without the list")),
        }
    }
}

pub(super) fn base(env: &Env) -> Result<String, crate::env::EnvError> {
    env.base_url(BASE_URL, DEFAULT_BASE)
}

/// The status inside of an answer, where it is one of a failure (facts: telephony §1.4).
fn hidden_status(envelope: &Value) -> Option<StatusCode> {
    let status = number(&envelope["responseData"]["status"]).and_then(|status| u16::try_from(status).ok())?;
    StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 400)
}

/// The id of something that was just created.
fn created(answer: &Value) -> Result<String, ClientError> {
    text(&answer["data"]["id"]).ok_or_else(|| ClientError::nonsense(NAME, "created something without an id"))
}

/// Text, or a number as text; empty text is none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A switch, however it is written.
fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| Some(text(value)? != "0"))
}

/// What is one thing in a row of a list and several in the thing itself.
fn several(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
    .iter()
}

/// Whether an id may stand in a path.
fn is_id(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// What an id that cannot be one of theirs is answered with: they have no such thing.
fn unknown() -> ClientError {
    ClientError::from_parts(NAME, StatusCode::NOT_FOUND, None, String::new())
}

/// Adds what the vendor says of the failure, for the person who has to look; which field it does not like, never its value.
fn explained(mut error: ClientError) -> ClientError {
    let said: Value = serde_json::from_str(&error.body).unwrap_or_default();
    let message = text(&said["responseData"]["message"]).or_else(|| text(&said["message"]));
    let fields = said["responseData"]["data"].as_object().into_iter().flat_map(|fields| fields.keys().cloned());
    let fields: Vec<String> = fields.collect();
    if let Some(message) = message {
        error.message = format!("{}: {}", error.message, without_people(&message));
    }
    if !fields.is_empty() {
        error.message = format!("{} ({})", error.message, without_people(&fields.join(", ")));
    }
    error
}

/// Leaves out every word that may be a phone number, an address or a link.
fn without_people(text: &str) -> String {
    let private = |word: &str| word.contains(['@', '/']) || word.chars().filter(char::is_ascii_digit).count() >= 4;
    let words: Vec<_> = text.split_whitespace().map(|word| if private(word) { "…" } else { word }).collect();
    words.join(" ").chars().take(SAID_LIMIT).collect()
}
