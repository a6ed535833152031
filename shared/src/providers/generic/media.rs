//! Fetches the recording from the URL that a webhook brought; there is no other way.

use anyhow::anyhow;
use chrono::TimeDelta;
use reqwest::header::{self, HeaderMap, HeaderValue};

use super::{AUTHORIZATION, HOSTS, NAME};
use crate::{
    clock::Clock,
    domain::{Call, StepError},
    env::{Env, EnvError},
    http::{
        Download, Outside,
        guard::{Allowlist, Guard, GuardError},
    },
    providers::RecordingError,
    recordings,
};

/// A URL comes with the call's end, or some minutes later. A call without one for so long was not recorded.
const PATIENCE: TimeDelta = TimeDelta::hours(2);

/// Fetches recordings of one system.
pub(super) struct Media {
    guard: Guard,
    hosts: usize,
    credentials: HeaderMap,
    clock: Clock,
}

impl Media {
    pub(super) fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Self> {
        let allowed = Allowlist::default().and_from(env, HOSTS)?;
        let clock = outside.clock.clone();
        let guard = Guard::new(NAME, allowed, recordings::max_bytes(env)?, clock.clone())?;
        Ok(Self { guard, hosts: env.list(HOSTS).len(), credentials: credentials(env)?, clock })
    }

    pub(super) async fn open(&self, call: &Call) -> Result<Download, RecordingError> {
        let Some(url) = &call.facts.recording_url else {
            let age = self.clock.now() - call.created_at;
            if age < PATIENCE {
                return Err(RecordingError::NotReady);
            }
            return Err(RecordingError::Never("no webhook brought the URL of a recording".to_owned()));
        };
        let download = self.guard.get(url, self.credentials.clone()).await.map_err(refused)?;
        if download.content_type.as_deref().is_some_and(is_page) {
            let page = anyhow!("the recording's URL was answered with a page");
            return Err(StepError::retry("not-audio", page).into());
        }
        Ok(download)
    }

    pub(super) fn check(&self) -> String {
        match self.hosts {
            0 => format!("webhooks are taken, but no recording can be fetched: {HOSTS} lists no host"),
            1 => "recordings are fetched from one host".to_owned(),
            many => format!("recordings are fetched from {many} hosts"),
        }
    }
}

fn credentials(env: &Env) -> Result<HeaderMap, EnvError> {
    let Some(text) = env.var(AUTHORIZATION) else { return Ok(HeaderMap::new()) };
    let mut value = HeaderValue::from_str(text).map_err(|_| EnvError::Invalid {
        name: AUTHORIZATION.to_owned(),
        why: "expected the value of a header, such as Bearer …".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
}

/// 404 until it is there, 410 when it is there no more.
fn refused(error: GuardError) -> RecordingError {
    match error {
        GuardError::Client(error) => match error.status {
            Some(404) => RecordingError::NotReady,
            Some(410) => RecordingError::Never("its host says that the recording is gone".to_owned()),
            _ => StepError::from(error).into(),
        },
        GuardError::TooLarge { .. } => StepError::fail("recording-too-large", error).into(),
        GuardError::TooManyRedirects => StepError::retry("vendor-broken", error).into(),
        GuardError::NotAUrl | GuardError::NotAllowed { .. } | GuardError::NotPublic { .. } => {
            StepError::fail("recording-host-not-allowed", anyhow!(error).context(format!("see {HOSTS}"))).into()
        }
    }
}

fn is_page(content_type: &str) -> bool {
    let kind = content_type.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}
