//! Fetches recordings: from the link that a webhook announced (a capability, fetched without credentials), else from
//! `GET /calls/recording/{id}.json`, which answers with the bytes themselves (facts: telephony §1.4).

use std::time::Duration;

use anyhow::anyhow;
use chrono::TimeDelta;
use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap},
};
use secrecy::{ExposeSecret, SecretString};

use super::{API_KEY, BASE_URL, HOSTS, KEY_ID, KEY_SECRET, NAME, RATE};
use crate::{
    budgets::Limit,
    domain::{Call, StepError},
    env::{Env, EnvError},
    http::{
        ClientError, Download, ErrorKind, Outside, Vendor,
        guard::{Allowlist, Guard, GuardError},
    },
    providers::RecordingError,
    recordings,
};

/// Where links of CloudTalk itself lie.
const HOST: &str = "my.cloudtalk.io";
/// A call that no event has named by id yet is given this long: the webhook of its recording brings the id.
const NAMELESS: TimeDelta = TimeDelta::hours(2);

/// Fetches recordings of one company.
pub(super) struct Opening {
    api: Vendor,
    guard: Guard,
    base: String,
    credentials: Option<Credentials>,
}

struct Credentials {
    id: String,
    secret: SecretString,
}

/// A link that did not work.
struct Failed {
    error: RecordingError,
    /// Whether the API may know better.
    ask_api: bool,
}

impl Opening {
    pub(super) fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Self> {
        let base = env.base_url(BASE_URL, "https://my.cloudtalk.io/api")?;
        // 60 operations per minute and company.
        let limit = Limit::new(env.parsed(RATE, 60)?, Duration::from_secs(60));
        let allowed = Allowlist::hosts(&[HOST]).origin_of(&base).and_from(env, HOSTS)?;
        let guard = Guard::new(NAME, allowed, recordings::max_bytes(env)?, outside.clock.clone())?;
        Ok(Self { api: outside.vendor(NAME, limit), guard, base, credentials: Credentials::from_env(env)? })
    }

    pub(super) async fn open(&self, call: &Call) -> Result<Download, RecordingError> {
        let id = call.facts.provider_call_id.as_deref();
        let api = self.credentials.as_ref().zip(id);
        let link = match &call.facts.recording_url {
            Some(url) => self.open_link(url).await,
            None => Err(Failed { error: self.no_way(call), ask_api: true }),
        };
        match (link, api) {
            (Err(Failed { ask_api: true, .. }), Some((credentials, id))) => self.open_by_id(credentials, id).await,
            (link, _) => link.map_err(|failed| failed.error),
        }
    }

    pub(super) async fn check(&self) -> anyhow::Result<String> {
        let Some(credentials) = &self.credentials else {
            return Ok(format!("no API credentials ({KEY_ID}): recordings come from links in webhooks alone"));
        };
        let url = format!("{}/calls/index.json?limit=1", self.base);
        let request = credentials.sign(self.api.http().get(url)).header(ACCEPT, "application/json");
        self.api.send(request).await?;
        Ok("API credentials accepted".to_owned())
    }

    async fn open_link(&self, url: &str) -> Result<Download, Failed> {
        let download = self.guard.get(url, HeaderMap::new()).await?;
        if download.content_type.as_deref().is_some_and(is_page) {
            let error = StepError::retry("not-audio", anyhow!("{NAME} answered the recording's link with a page"));
            return Err(Failed { error: error.into(), ask_api: true });
        }
        Ok(download)
    }

    async fn open_by_id(&self, credentials: &Credentials, id: &str) -> Result<Download, RecordingError> {
        let url = format!("{}/calls/recording/{id}.json", self.base);
        // Some requests without `application/json` in `Accept` are answered with 404 or 406.
        let request = credentials.sign(self.api.http().get(url)).header(ACCEPT, "application/json, */*");
        let response = self.api.send(request).await.map_err(absence)?;
        if response.status().is_redirection() {
            return self.guard.redirected(&response).await.map_err(|e| Failed::from(e).error);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if is_page(kind) {
            return Err(absence(self.said(response).await));
        }
        Ok(Download::from_response(NAME, response))
    }

    /// Reads an answer of 2xx that is not audio: its envelope may hold another status than the answer had
    /// (facts: telephony §1.4).
    async fn said(&self, response: Response) -> ClientError {
        let page = ClientError::from_response(NAME, response, self.api.clock().now()).await;
        let envelope: serde_json::Value = serde_json::from_str(&page.body).unwrap_or_default();
        let status = envelope["responseData"]["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        match status.and_then(|status| StatusCode::from_u16(status).ok()).filter(|status| status.as_u16() >= 400) {
            Some(status) => ClientError::from_parts(NAME, status, None, page.body),
            None => ClientError::nonsense(NAME, "answered with a page instead of the recording"),
        }
    }

    fn no_way(&self, call: &Call) -> RecordingError {
        let what = if self.credentials.is_none() {
            format!("no webhook brought a recording URL, and {KEY_ID} and {KEY_SECRET} are not set")
        } else if self.api.clock().now() - call.created_at < NAMELESS {
            return RecordingError::NotReady;
        } else {
            "no webhook brought a recording URL or call_id: add call_id to the workflow's values".to_owned()
        };
        StepError::fail("no-way-to-fetch", anyhow!(what)).into()
    }
}

impl Credentials {
    /// `CLOUDTALK_API_KEY_ID` with `CLOUDTALK_API_SECRET`, else `CLOUDTALK_API_KEY` as `id:secret`.
    fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        match (env.var(KEY_ID), env.secret(KEY_SECRET)) {
            (Some(id), Some(secret)) => return Ok(Some(Self { id: id.to_owned(), secret })),
            (Some(_), None) => return Err(EnvError::Missing(KEY_SECRET.to_owned())),
            (None, Some(_)) => return Err(EnvError::Missing(KEY_ID.to_owned())),
            (None, None) => {}
        }
        let Some(pair) = env.var(API_KEY) else { return Ok(None) };
        match pair.split_once(':').filter(|(id, secret)| !id.is_empty() && !secret.is_empty()) {
            Some((id, secret)) => Ok(Some(Self { id: id.to_owned(), secret: secret.into() })),
            None => Err(EnvError::Invalid {
                name: API_KEY.to_owned(),
                why: format!("expected id:secret; or set {KEY_ID} and {KEY_SECRET}"),
            }),
        }
    }

    fn sign(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.id, Some(self.secret.expose_secret()))
    }
}

/// 404 until the recording is uploaded, 410 once it has expired.
fn absence(error: ClientError) -> RecordingError {
    match error.status {
        Some(404) => RecordingError::NotReady,
        Some(410) => RecordingError::Never("CloudTalk says that the recording has expired".to_owned()),
        _ => StepError::from(error).into(),
    }
}

impl From<GuardError> for Failed {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Client(error) => Self { ask_api: error.kind == ErrorKind::Refused, error: absence(error) },
            GuardError::TooLarge { .. } => {
                Self { error: StepError::fail("recording-too-large", error).into(), ask_api: false }
            }
            GuardError::TooManyRedirects => {
                Self { error: StepError::retry("vendor-broken", error).into(), ask_api: true }
            }
            GuardError::NotAUrl | GuardError::NotAllowed { .. } | GuardError::NotPublic { .. } => {
                let error = anyhow!(error).context(format!("see {HOSTS}"));
                Self { error: StepError::fail("recording-host-not-allowed", error).into(), ask_api: true }
            }
        }
    }
}

fn is_page(content_type: &str) -> bool {
    let kind = content_type.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}
