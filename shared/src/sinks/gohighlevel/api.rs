//! One request to GoHighLevel: headers, JSON, and what its errors say. The resources have a file each.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    budgets::Limit,
    env::{Env, EnvError},
    http::{ClientError, Outside, Vendor},
};

/// Of contacts, notes, locations and custom fields (facts: crm_ai §1.1).
const VERSION: &str = "2021-07-28";
/// The vendor's own limit: 100 calls in 10 s per location (facts: crm_ai §1.3).
const RATE_PER_10S: u32 = 100;
/// Longest explanation of the vendor that is kept in an error.
const SAID_LIMIT: usize = 200;

/// The API of one location (sub-account). Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub(super) vendor: Vendor,
    pub(super) base_url: String,
    pub(super) token: SecretString,
    /// The location that all calls are about.
    pub location: String,
}

impl Api {
    /// Reads `GHL_API_KEY`, `GHL_LOCATION_ID`, `GHL_BASE_URL` and `GHL_RATE_PER_10S` (100; 0 is no limit). `None` without
    /// `GHL_API_KEY`.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> Result<Option<Self>, EnvError> {
        let Some(token) = env.secret("GHL_API_KEY") else { return Ok(None) };
        let calls = env.parsed("GHL_RATE_PER_10S", RATE_PER_10S)?;
        let location = env.required("GHL_LOCATION_ID")?.to_owned();
        if !location.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            let why = "expected letters and digits".to_owned();
            return Err(EnvError::Invalid { name: "GHL_LOCATION_ID".to_owned(), why });
        }
        Ok(Some(Self {
            vendor: outside.vendor("gohighlevel", Limit::new(calls, Duration::from_secs(10))),
            base_url: env.base_url("GHL_BASE_URL", "https://services.leadconnectorhq.com")?,
            token,
            location,
        }))
    }

    /// A request to a path that begins with `/`.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(VERSION, method, path)
    }

    /// The same, for resources of another version.
    pub(super) fn request_as(&self, version: &str, method: Method, path: &str) -> RequestBuilder {
        let request = self.vendor.http().request(method, format!("{}{path}", self.base_url));
        request.bearer_auth(self.token.expose_secret()).header("Version", version).header("Accept", "application/json")
    }

    /// Sends a request whose answer is JSON.
    ///
    /// # Errors
    /// [`ClientError`]; an answer of 2xx that is something else counts as none, for the request may not have arrived.
    pub(super) async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let name = self.vendor.name();
        let response = self.vendor.send(request).await.map_err(explained)?;
        let body = response.bytes().await.map_err(|e| ClientError::from_transport(name, &e))?;
        serde_json::from_slice(&body).map_err(|_| ClientError::nonsense(name, "answered something other than promised"))
    }
}

/// Whether the thing that the path names is not there (any more). Contacts are also reported missing with a 400
/// (facts: crm_ai §1.4).
pub fn is_gone(error: &ClientError) -> bool {
    let named = || Said::of(error).message.is_some_and(|m| m.text().to_lowercase().contains("not found"));
    error.is(404) || (error.is(400) && named())
}

/// Whether the request itself was found wrong.
pub fn is_invalid(error: &ClientError) -> bool {
    error.is(400) || error.is(422)
}

/// An error's body. `message` is a string or a list of strings (facts: crm_ai §1.3).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    message: Option<Message>,
    #[serde(rename = "traceId")]
    trace_id: Option<String>,
    pub(super) meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    One(String),
    Several(Vec<String>),
}

/// Which contact stands in the way of a new one.
#[derive(Deserialize)]
pub(super) struct Meta {
    #[serde(rename = "contactId")]
    pub(super) contact_id: Option<String>,
}

impl Said {
    pub(super) fn of(error: &ClientError) -> Self {
        serde_json::from_str(&error.body).unwrap_or_default()
    }
}

impl Message {
    fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Several(texts) => texts.join("; "),
        }
    }
}

/// Adds what the vendor says of the failure, for the person who has to look.
fn explained(mut error: ClientError) -> ClientError {
    let said = Said::of(&error);
    if let Some(trace_id) = &said.trace_id {
        tracing::debug!(
            vendor = error.vendor,
            status = error.status,
            trace_id,
            "the vendor's trace of a failed request"
        );
    }
    if let Some(message) = said.message {
        error.message = format!("{}: {}", error.message, without_people(&message.text()));
    }
    error
}

/// Leaves out every word that may be a phone number, an address or a link.
fn without_people(text: &str) -> String {
    let private = |word: &str| word.contains(['@', '/']) || word.chars().filter(char::is_ascii_digit).count() >= 4;
    let words: Vec<_> = text.split_whitespace().map(|word| if private(word) { "…" } else { word }).collect();
    words.join(" ").chars().take(SAID_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> ClientError {
        let status = reqwest::StatusCode::from_u16(status).unwrap_or_default();
        explained(ClientError::from_parts("gohighlevel", status, None, body.to_owned()))
    }

    #[test]
    fn an_error_says_what_the_vendor_says_whether_in_one_message_or_several() {
        let one =
            refused(400, r#"{"message":"Invalid field additional_phones","error":"Bad Request","statusCode":400}"#);
        assert_eq!(one.to_string(), "gohighlevel answered 400 Bad Request: Invalid field additional_phones");
        let several =
            refused(422, r#"{"message":["property gender should not exist","body is empty"],"statusCode":422}"#);
        assert!(several.to_string().ends_with("property gender should not exist; body is empty"), "{several}");
        assert_eq!(refused(502, "<html>").to_string(), "gohighlevel answered 502 Bad Gateway");
    }

    #[test]
    fn an_error_never_repeats_a_number_an_address_or_a_link() {
        let body = r#"{"message":"+39 350 1234567 of ada@example.test, see https://x.test/1 is taken"}"#;
        let text = refused(400, body).to_string();
        assert!(text.ends_with("+39 350 … of … see … is taken"), "{text}");
    }

    #[test]
    fn a_contact_is_gone_however_that_is_said() {
        assert!(is_gone(&refused(404, "")));
        assert!(is_gone(&refused(400, r#"{"message":"Contact with id X not found"}"#)));
        assert!(!is_gone(&refused(400, r#"{"message":"Bad Request"}"#)));
    }
}
