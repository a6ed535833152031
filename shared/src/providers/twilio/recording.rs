//! Fetches recordings by account and SID, never by the URL of a callback (facts: telephony §2.4).

use anyhow::anyhow;
use chrono::TimeDelta;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{
    api::Api,
    dialect::{Dialect, Media},
};
use crate::{
    domain::{Call, StepError},
    env::Env,
    http::{
        ClientError, Download, Outside,
        guard::{Allowlist, Guard, GuardError},
    },
    providers::RecordingError,
    recordings,
};

/// A call that ended so long ago and has no recording listed will not have one.
const GRACE: TimeDelta = TimeDelta::minutes(15);

pub(super) fn guard(dialect: &Dialect, env: &Env, outside: &Outside, base: &str) -> anyhow::Result<Guard> {
    let allowed = Allowlist::domains(dialect.domains).origin_of(base).and_from(env, dialect.settings.hosts)?;
    Ok(Guard::new(dialect.name, allowed, recordings::max_bytes(env)?, outside.clock.clone())?.strict())
}

pub(super) async fn open(api: &Api, guard: &Guard, call: &Call) -> Result<Download, RecordingError> {
    let keys = |kind| call.facts.keys.iter().filter(move |key| key.kind == kind).map(|key| key.value.as_str());
    let known: Vec<&str> = keys("recording_sid").collect();
    let recording = match (known.as_slice(), keys("call_sid").next()) {
        ([sid], _) => one(api, sid).await?,
        (_, Some(call_sid)) => best(api, call_sid, call).await?,
        // A conference: the last one that was told of.
        ([.., sid], None) => one(api, sid).await?,
        ([], None) => return Err(RecordingError::NotReady),
    };
    let dialect = api.dialect();
    let sid = ready(dialect, &recording)?;
    let download = match dialect.media {
        Media::File { .. } => {
            let response = api.media(own(api, sid)?).await.map_err(not_found_is_not_ready)?;
            if response.status().is_redirection() {
                guard.redirected(&response).await.map_err(|error| refused(dialect, error))?
            } else {
                Download::from_response(dialect.name, response)
            }
        }
        Media::Url => {
            let url = recording["media_url"].as_str().ok_or(RecordingError::NotReady)?;
            guard.get(url, HeaderMap::new()).await.map_err(|error| refused(dialect, error))?
        }
    };
    if download.content_type.as_deref().is_some_and(is_page) {
        let page = anyhow!("{} answered with a page instead of the recording", dialect.title);
        return Err(StepError::retry("not-audio", page).into());
    }
    Ok(download)
}

/// The id of a recording, if it may be asked for.
fn own<'i>(api: &Api, sid: &'i str) -> Result<&'i str, RecordingError> {
    if api.is_id("RE", sid) {
        return Ok(sid);
    }
    let what = anyhow!("the recording's id is none of {}", api.dialect().title);
    Err(StepError::fail("broken-recording-id", what).into())
}

async fn one(api: &Api, sid: &str) -> Result<Value, RecordingError> {
    api.recording(own(api, sid)?).await.map_err(not_found_is_not_ready)
}

/// Of several recordings of a call the longest that can be had. While one of them is still made, it is waited for.
async fn best(api: &Api, call_sid: &str, call: &Call) -> Result<Value, RecordingError> {
    if !api.is_id("CA", call_sid) {
        return Err(
            StepError::fail("broken-call-id", anyhow!("the call's id is none of {}", api.dialect().title)).into()
        );
    }
    let all = api.recordings_of(call_sid).await.map_err(not_found_is_not_ready)?;
    if let Some(unfinished) = all.iter().find(|one| matches!(ready(api.dialect(), one), Err(RecordingError::NotReady)))
    {
        return Ok(unfinished.clone());
    }
    let seconds = |one: &&Value| one["duration"].as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    let longest =
        all.iter().filter(|one| ready(api.dialect(), one).is_ok()).max_by(|a, b| seconds(a).total_cmp(&seconds(b)));
    if let Some(one) = longest.or_else(|| all.first()) {
        return Ok(one.clone());
    }
    let since = call.facts.ended_at.unwrap_or(call.created_at);
    if call.ended() && api.now() - since > GRACE {
        return Err(RecordingError::Never(format!("{} lists no recording of this call", api.dialect().title)));
    }
    Err(RecordingError::NotReady)
}

/// The id of a recording whose audio can be had.
fn ready<'r>(dialect: &Dialect, recording: &'r Value) -> Result<&'r str, RecordingError> {
    let absent = |why: &str| Err(RecordingError::Never(format!("{} says that the recording is {why}", dialect.title)));
    match recording["status"].as_str() {
        Some("in-progress" | "paused" | "stopped" | "processing") => Err(RecordingError::NotReady),
        Some("absent") => match recording["error_code"].to_string().trim_matches('"') {
            "16101" => absent("absent: it was too short"),
            "16102" => absent("absent: nobody said anything"),
            _ => absent("absent"),
        },
        Some("deleted") => absent("deleted"),
        Some("failed") => absent("failed"),
        _ if recording["encryption_details"].is_object() => {
            let what = anyhow!(
                "the account encrypts its recordings, and only it has the key: switch Voice Recording Encryption off"
            );
            Err(StepError::fail("recording-encrypted", what).into())
        }
        _ => match recording["sid"].as_str() {
            Some(sid) => Ok(sid),
            None => {
                Err(StepError::from(ClientError::nonsense(dialect.name, "named a recording without its id")).into())
            }
        },
    }
}

/// The callback often is faster than the audio: 404 for some seconds.
fn not_found_is_not_ready(error: ClientError) -> RecordingError {
    if error.is(404) { RecordingError::NotReady } else { StepError::from(error).into() }
}

fn refused(dialect: &Dialect, error: GuardError) -> RecordingError {
    match error {
        GuardError::Client(error) => not_found_is_not_ready(error),
        GuardError::TooLarge { .. } => StepError::fail("recording-too-large", error).into(),
        GuardError::TooManyRedirects => StepError::retry("vendor-broken", error).into(),
        GuardError::NotAUrl | GuardError::NotAllowed { .. } | GuardError::NotPublic { .. } => {
            let error = anyhow!(error).context(format!("see {}", dialect.settings.hosts));
            StepError::fail("recording-host-not-allowed", error).into()
        }
    }
}

/// Errors of media are XML, also where JSON was hoped for.
fn is_page(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}
