//! Fetches recordings: from the link that a webhook announced (a capability, fetched without credentials), else from
//! `GET /calls/recording/{id}.json`, which answers with the bytes themselves (facts: telephony §1.4).

use anyhow::anyhow;
use chrono::TimeDelta;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::{
    HOSTS, KEY_ID, KEY_SECRET, NAME,
    api::{self, Api},
};
use crate::{
    clock::Clock,
    domain::{Call, StepError},
    env::Env,
    http::{
        ClientError, Download, ErrorKind, Outside,
        guard::{Allowlist, Guard, GuardError},
    },
    providers::RecordingError,
    recordings,
};

/// Where links of CloudTalk itself lie.
const HOST: &str = "my.cloudtalk.io";
/// A call is given this long until the webhook of its recording brings what leads there: the link, or its id.
const TOLD: TimeDelta = TimeDelta::hours(2);

const NOT_ALLOWED: &str = "recording-host-not-allowed";

/// Fetches recordings of one company.
pub(super) struct Opening {
    guard: Guard,
    clock: Clock,
}

/// A link that did not work.
struct Failed {
    error: RecordingError,
    /// Whether the API may know better.
    ask_api: bool,
}

impl Opening {
    pub(super) fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Self> {
        let allowed = Allowlist::hosts(&[HOST]).origin_of(&api::base(env)?).and_from(env, HOSTS)?;
        let guard = Guard::new(NAME, allowed, recordings::max_bytes(env)?, outside.clock.clone())?;
        Ok(Self { guard, clock: outside.clock.clone() })
    }

    pub(super) async fn open(&self, api: Option<&Api>, call: &Call) -> Result<Download, RecordingError> {
        let link = match &call.facts.recording_url {
            Some(url) => self.open_link(url).await,
            None => Err(Failed { error: self.no_way(api, call), ask_api: true }),
        };
        match (link, api.zip(call.facts.provider_call_id.as_deref())) {
            (Err(Failed { error, ask_api: true }), Some((api, id))) => {
                if matches!(&error, RecordingError::Step(error) if error.reason == NOT_ALLOWED) {
                    tracing::warn!("a recording's link lies on a host that {HOSTS} does not allow; the API is asked");
                }
                self.open_by_id(api, id).await
            }
            (link, _) => link.map_err(|failed| failed.error),
        }
    }

    async fn open_link(&self, url: &str) -> Result<Download, Failed> {
        let download = self.guard.get(url, HeaderMap::new()).await?;
        if download.content_type.as_deref().is_some_and(is_page) {
            let error = StepError::retry("not-audio", anyhow!("{NAME} answered the recording's link with a page"));
            return Err(Failed { error: error.into(), ask_api: true });
        }
        Ok(download)
    }

    async fn open_by_id(&self, api: &Api, id: &str) -> Result<Download, RecordingError> {
        let response = api.recording(id).await.map_err(absence)?;
        if response.status().is_redirection() {
            return self.guard.redirected(&response).await.map_err(|e| Failed::from(e).error);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if is_page(kind) {
            return Err(absence(api.said(response).await));
        }
        Ok(Download::from_response(NAME, response))
    }

    fn no_way(&self, api: Option<&Api>, call: &Call) -> RecordingError {
        if self.clock.now() - call.created_at < TOLD {
            return RecordingError::NotReady;
        }
        let what = if api.is_none() {
            let what = format!("no webhook brought a recording URL, and {KEY_ID} and {KEY_SECRET} are not set");
            if call.facts.recorded != Some(true) && !call.facts.recording_announced {
                return RecordingError::Never(what);
            }
            what
        } else {
            "no webhook brought a recording URL or call_id: add call_id to the workflow's values".to_owned()
        };
        StepError::fail("no-way-to-fetch", anyhow!(what)).into()
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
                Self { error: StepError::fail(NOT_ALLOWED, error).into(), ask_api: true }
            }
        }
    }
}

fn is_page(content_type: &str) -> bool {
    let kind = content_type.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}
