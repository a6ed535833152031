//! Fetches recordings by account and SID, never by the URL of a callback (facts: telephony §2.4).

use anyhow::anyhow;
use chrono::TimeDelta;
use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::Value;

use super::{HOSTS, NAME, api::Api};
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

/// Where Twilio's media may be handed over to.
const DOMAINS: [&str; 3] = ["twilio.com", "twiliocdn.com", "amazonaws.com"];
/// A call that ended so long ago and has no recording listed will not have one.
const GRACE: TimeDelta = TimeDelta::minutes(15);

pub(super) fn guard(env: &Env, outside: &Outside, base: &str) -> anyhow::Result<Guard> {
    let allowed = Allowlist::domains(&DOMAINS).origin_of(base).and_from(env, HOSTS)?;
    Ok(Guard::new(NAME, allowed, recordings::max_bytes(env)?, outside.clock.clone())?.strict())
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
    let sid = ready(&recording)?;
    if !api.is_id("RE", sid) {
        return Err(StepError::fail("broken-recording-id", anyhow!("the recording's id is none of Twilio's")).into());
    }
    let response = match api.media(sid, Some("2")).await {
        // There is only one channel (16113).
        Err(error) if error.is(400) => api.media(sid, None).await,
        other => other,
    };
    let response = response.map_err(not_found_is_not_ready)?;
    if response.status().is_redirection() {
        return guard.redirected(&response).await.map_err(refused);
    }
    if is_page(&response) {
        let page = anyhow!("{NAME} answered with a page instead of the recording");
        return Err(StepError::retry("not-audio", page).into());
    }
    Ok(Download::from_response(NAME, response))
}

async fn one(api: &Api, sid: &str) -> Result<Value, RecordingError> {
    if !api.is_id("RE", sid) {
        return Err(StepError::fail("broken-recording-id", anyhow!("the recording's id is none of Twilio's")).into());
    }
    api.recording(sid).await.map_err(not_found_is_not_ready)
}

/// Of several recordings of a call the longest that can be had. While one of them is still made, it is waited for.
async fn best(api: &Api, call_sid: &str, call: &Call) -> Result<Value, RecordingError> {
    if !api.is_id("CA", call_sid) {
        return Err(StepError::fail("broken-call-id", anyhow!("the call's id is none of Twilio's")).into());
    }
    let all = api.recordings_of(call_sid).await.map_err(not_found_is_not_ready)?;
    if let Some(unfinished) = all.iter().find(|one| matches!(ready(one), Err(RecordingError::NotReady))) {
        return Ok(unfinished.clone());
    }
    let seconds = |one: &&Value| one["duration"].as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    let longest = all.iter().filter(|one| ready(one).is_ok()).max_by(|a, b| seconds(a).total_cmp(&seconds(b)));
    if let Some(one) = longest.or_else(|| all.first()) {
        return Ok(one.clone());
    }
    let since = call.facts.ended_at.unwrap_or(call.created_at);
    if call.ended() && api.now() - since > GRACE {
        return Err(RecordingError::Never("Twilio lists no recording of this call".to_owned()));
    }
    Err(RecordingError::NotReady)
}

/// The id of a recording whose audio can be had.
fn ready(recording: &Value) -> Result<&str, RecordingError> {
    let absent = |why: &str| Err(RecordingError::Never(format!("Twilio says that the recording is {why}")));
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
            None => Err(StepError::from(ClientError::nonsense(NAME, "named a recording without its id")).into()),
        },
    }
}

/// The callback often is faster than the audio: 404 for some seconds.
fn not_found_is_not_ready(error: ClientError) -> RecordingError {
    if error.is(404) { RecordingError::NotReady } else { StepError::from(error).into() }
}

fn refused(error: GuardError) -> RecordingError {
    match error {
        GuardError::Client(error) => not_found_is_not_ready(error),
        GuardError::TooLarge { .. } => StepError::fail("recording-too-large", error).into(),
        GuardError::TooManyRedirects => StepError::retry("vendor-broken", error).into(),
        GuardError::NotAUrl | GuardError::NotAllowed { .. } | GuardError::NotPublic { .. } => {
            StepError::fail("recording-host-not-allowed", anyhow!(error).context(format!("see {HOSTS}"))).into()
        }
    }
}

/// Errors of media are XML, also where JSON was hoped for.
fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/") || kind.contains("json") || kind.contains("xml")
}
