//! The REST API (facts: telephony §3.3, §3.4).

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{
    Method, RequestBuilder, Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{API_KEY, BASE_URL, NAME, payload::is_id};
use crate::{
    domain::{Call, StepError},
    env::{Env, EnvError},
    http::{
        ClientError, Download, Outside, Vendor,
        guard::{Allowlist, Guard},
    },
    providers::RecordingError,
    recordings,
};

/// Conversations on a page of the list; the most there can be.
const PAGE: &str = "100";
/// A call without audio so far is given this long where only the audio's own webhook can bring it.
const UNFETCHABLE: TimeDelta = TimeDelta::hours(2);

/// Asks ElevenLabs. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    vendor: Vendor,
    guard: Guard,
    base: String,
    key: SecretString,
}

impl Api {
    /// `None` without `ELEVENLABS_API_KEY`.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let base = env.base_url(BASE_URL, "https://api.elevenlabs.io")?;
        let Some(key) = env.secret(API_KEY) else { return Ok(None) };
        if HeaderValue::from_str(key.expose_secret()).is_err() {
            return Err(EnvError::Invalid { name: API_KEY.to_owned(), why: "not fit for a header".to_owned() }.into());
        }
        let guard = Guard::new(NAME, Allowlist::default(), recordings::max_bytes(env)?, outside.clock.clone())?;
        Ok(Some(Self { vendor: outside.vendor(NAME, None), guard, base, key }))
    }

    /// A conversation as they know it now; `None` when they do not.
    ///
    /// # Errors
    /// When they do not answer, or refuse.
    pub async fn conversation(&self, id: &str) -> Result<Option<Value>, ClientError> {
        if !is_id(id) {
            return Ok(None);
        }
        match self.json(self.ask(Method::GET, &format!("/v1/convai/conversations/{id}"))).await {
            Ok(conversation) => Ok(Some(conversation)),
            Err(error) if error.is(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of the conversations that began since then and are over, and where the next one is.
    pub(super) async fn conversations(
        &self,
        since: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), ClientError> {
        let since = since.timestamp().to_string();
        let mut query = vec![("call_start_after_unix", since.as_str()), ("page_size", PAGE)];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = self.json(self.ask(Method::GET, "/v1/convai/conversations").query(&query)).await?;
        let rows = page["conversations"].as_array().into_iter().flatten();
        let next = page["next_cursor"].as_str().filter(|_| page["has_more"] == true);
        Ok((rows.filter(|row| is_over(row)).cloned().collect(), next.map(str::to_owned)))
    }

    pub(super) async fn check(&self) -> Result<(), ClientError> {
        let page = self.ask(Method::GET, "/v1/convai/conversations").query(&[("page_size", "1")]);
        self.json(page).await.map(drop)
    }

    /// The audio: MP3, both voices mixed.
    pub(super) async fn audio(&self, call: &Call) -> Result<Download, RecordingError> {
        let Some(id) = call.facts.provider_call_id.as_deref().filter(|id| is_id(id)) else {
            return Err(unfetchable(call, self.vendor.clock().now(), "no webhook named its conversation"));
        };
        let sent = self.vendor.send(self.ask(Method::GET, &format!("/v1/convai/conversations/{id}/audio"))).await;
        match sent {
            Ok(response) if response.status().is_redirection() => {
                let followed = self.guard.redirected(&response).await;
                followed.map_err(|error| StepError::retry("vendor-broken", error).into())
            }
            Ok(response) if is_page(&response) => {
                let error = ClientError::nonsense(NAME, "answered with a page instead of the audio");
                Err(StepError::from(error).into())
            }
            Ok(response) => Ok(Download::from_response(NAME, response)),
            // While it is being processed they answer so too: what is the matter the conversation says.
            Err(error) if matches!(error.status, Some(400 | 404 | 409 | 422 | 425)) => Err(self.absence(id).await),
            Err(error) => Err(StepError::from(error).into()),
        }
    }

    async fn absence(&self, id: &str) -> RecordingError {
        match self.conversation(id).await {
            Ok(None) => RecordingError::Never("ElevenLabs does not know the conversation (any more)".to_owned()),
            Ok(Some(conversation)) if is_over(&conversation) && conversation["has_audio"] == false => {
                RecordingError::Never("ElevenLabs keeps no audio of the conversation".to_owned())
            }
            Ok(Some(_)) => RecordingError::NotReady,
            Err(error) => StepError::from(error).into(),
        }
    }

    pub(super) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.vendor.http().request(method, format!("{}{path}", self.base));
        let mut key = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(self.key.expose_secret()) {
            value.set_sensitive(true);
            key.insert("xi-api-key", value);
        }
        request.headers(key)
    }

    pub(super) async fn json(&self, request: RequestBuilder) -> Result<Value, ClientError> {
        let response = self.vendor.send(request).await?;
        let bytes = response.bytes().await.map_err(|error| ClientError::from_transport(NAME, &error))?;
        let nonsense = || ClientError::nonsense(NAME, "answered with something that is no JSON object");
        serde_json::from_slice(&bytes).ok().filter(Value::is_object).ok_or_else(nonsense)
    }
}

/// Whether nothing more will be known of a conversation.
pub(super) fn is_over(conversation: &Value) -> bool {
    matches!(conversation["status"].as_str(), Some("done" | "failed"))
}

/// There is no way to ask for the audio: its own webhook may still bring it, and something that helps may be set.
pub(super) fn unfetchable(call: &Call, now: DateTime<Utc>, why: &'static str) -> RecordingError {
    if now - call.created_at < UNFETCHABLE {
        return RecordingError::NotReady;
    }
    StepError::fail("no-way-to-fetch", anyhow!("no webhook brought the audio, and {why}")).into()
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}
