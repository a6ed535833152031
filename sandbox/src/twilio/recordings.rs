//! Recordings: begun on live calls, listed, shown, sent as audio. Media that is not there is told in XML.

use std::collections::HashMap;

use axum::{
    Form, Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::{ACCOUNT, callback::Callback, date, problem, refusal, xml};
use crate::{
    recordings::{self, RecordingFile},
    samples::Sample,
    world::{Shared, World},
};

/// One recording as Twilio keeps it.
#[derive(Clone)]
pub(crate) struct Recording {
    pub(super) sid: String,
    pub(super) call_sid: String,
    pub(super) status: &'static str,
    pub(super) source: &'static str,
    /// As asked for when it was begun; both voices are kept apart all the same, unless `mono`.
    pub(super) channels: u8,
    pub(super) mono: bool,
    pub(super) error_code: Option<u32>,
    pub(super) seconds: u64,
    pub(super) started_at: DateTime<Utc>,
    /// So many requests for its audio are answered with 404 first.
    pub(super) not_ready_times: u32,
    pub(super) served: u64,
    pub(super) callback: Option<Callback>,
    pub(super) sample: &'static Sample,
}

impl Recording {
    /// One of both sides, since the call was taken, and without a callback.
    pub(super) fn running(sid: String, call: &super::Call) -> Self {
        Self {
            sid,
            call_sid: call.sid.clone(),
            status: "in-progress",
            source: "OutboundAPI",
            channels: 2,
            mono: false,
            error_code: None,
            seconds: 0,
            started_at: call.started_at,
            not_ready_times: 0,
            served: 0,
            callback: None,
            sample: call.sample,
        }
    }

    fn resource(&self) -> Value {
        let done = self.status == "completed";
        json!({
            "sid": self.sid, "account_sid": ACCOUNT, "call_sid": self.call_sid, "conference_sid": null,
            "api_version": "2010-04-01", "channels": self.channels, "status": self.status, "source": self.source,
            "date_created": date(self.started_at), "date_updated": date(self.started_at),
            "start_time": date(self.started_at), "duration": done.then(|| self.seconds.to_string()), "track": "both",
            "price": null, "price_unit": null, "error_code": self.error_code, "encryption_details": null,
            "uri": format!("/2010-04-01/Accounts/{ACCOUNT}/Recordings/{}.json", self.sid),
            "media_url": format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{}", self.sid),
        })
    }

    fn audio(&self, channels: Option<&str>) -> RecordingFile {
        let dual = !self.mono && channels.map_or(self.channels == 2, |asked| asked == "2");
        RecordingFile::Bytes(if dual { self.sample.wav.clone() } else { self.sample.mono_wav() })
    }
}

pub(super) async fn list(State(world): State<Shared>, Query(asked): Query<HashMap<String, String>>) -> Json<Value> {
    Json(page(&world, &asked))
}

pub(super) async fn of_call(State(world): State<Shared>, Path((_, call)): Path<(String, String)>) -> Json<Value> {
    Json(page(&world, &HashMap::from([("CallSid".to_owned(), call)])))
}

/// Newest first. Unknown names are ignored, as Twilio does.
fn page(world: &World, asked: &HashMap<String, String>) -> Value {
    let since = asked.get("DateCreated>").and_then(|text| moment(text));
    let recordings = world.twilio.recordings();
    let wanted = |held: &&Recording| {
        asked.get("CallSid").is_none_or(|call| *call == held.call_sid)
            && since.is_none_or(|since| held.started_at >= since)
            && held.status != "deleted"
    };
    let mut found: Vec<_> = recordings.values().filter(wanted).collect();
    found.sort_by_key(|held| (std::cmp::Reverse(held.started_at), held.sid.clone()));
    let number = |name: &str, default: usize| asked.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (size, at) = (number("PageSize", 50).clamp(1, 1000), number("Page", 0));
    let next = (found.len() > (at + 1) * size).then(|| {
        let kept = asked.iter().filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageToken" | "PageSize"));
        let kept: String = kept.map(|(name, value)| format!("&{}={value}", name.replace('>', "%3E"))).collect();
        format!("/2010-04-01/Accounts/{ACCOUNT}/Recordings.json?PageSize={size}&Page={}&PageToken=PT{at}{kept}", at + 1)
    });
    let recordings: Vec<_> = found.into_iter().skip(at * size).take(size).map(Recording::resource).collect();
    json!({"recordings": recordings, "page": at, "page_size": size, "next_page_uri": next, "previous_page_uri": null})
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc());
    text.parse().ok().or_else(day)
}

/// The resource as JSON, or the audio.
pub(super) async fn show(
    State(world): State<Shared>,
    Path((_, file)): Path<(String, String)>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let sid = file.split('.').next().unwrap_or_default().to_owned();
    if file.ends_with(".json") {
        let deleted_too = asked.contains_key("IncludeSoftDeleted");
        let recordings = world.twilio.recordings();
        let held = recordings.get(&sid).filter(|held| deleted_too || held.status != "deleted");
        return held.map_or_else(|| refusal(StatusCode::NOT_FOUND), |held| Json(held.resource()).into_response());
    }
    let kind = if file.ends_with(".mp3") { "audio/mpeg" } else { "audio/x-wav" };
    let channels = asked.get("RequestedChannels").map(String::as_str);
    match fetch(&world, &sid, channels) {
        Ok(audio) => {
            let sent = recordings::send(&audio, &headers, kind, world.switches().ranges).await;
            sent.unwrap_or_else(|| xml(StatusCode::NOT_FOUND, 20404, "not found"))
        }
        Err(refused) => refused,
    }
}

#[expect(clippy::result_large_err, reason = "the answer of the request")]
fn fetch(world: &World, sid: &str, channels: Option<&str>) -> Result<RecordingFile, Response> {
    let missing = || xml(StatusCode::NOT_FOUND, 20404, "The requested resource was not found");
    let mut recordings = world.twilio.recordings();
    let held = recordings.get_mut(sid).filter(|held| held.status == "completed").ok_or_else(missing)?;
    if held.not_ready_times > 0 {
        held.not_ready_times -= 1;
        return Err(missing());
    }
    if held.mono && channels == Some("2") {
        let message = "Cannot download a dual-channel presentation of a mono recording";
        return Err(xml(StatusCode::BAD_REQUEST, 16113, message));
    }
    held.served += 1;
    Ok(held.audio(channels))
}

pub(super) async fn delete(State(world): State<Shared>, Path((_, file)): Path<(String, String)>) -> Response {
    let mut recordings = world.twilio.recordings();
    match file.strip_suffix(".json").and_then(|sid| recordings.get_mut(sid)) {
        Some(held) if held.status != "deleted" => {
            held.status = "deleted";
            StatusCode::NO_CONTENT.into_response()
        }
        _ => refusal(StatusCode::NOT_FOUND),
    }
}

/// Begins a recording of a call that is in progress, and of no other.
pub(super) async fn create(
    State(world): State<Shared>,
    Path((_, call_sid)): Path<(String, String)>,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    let recording = {
        let calls = world.twilio.calls();
        let Some(call) = calls.get(&call_sid) else { return refusal(StatusCode::NOT_FOUND) };
        if call.status != "in-progress" {
            let message = "Requested resource is not eligible for recording: the call is not in progress";
            return problem(StatusCode::BAD_REQUEST, 21220, message);
        }
        Recording {
            source: "StartCallRecordingAPI",
            channels: if asked.get("RecordingChannels").is_some_and(|channels| channels == "dual") { 2 } else { 1 },
            started_at: Utc::now(),
            callback: Callback::wanted(&asked),
            ..Recording::running(format!("RE{:032x}", world.twilio.next()), call)
        }
    };
    let resource = recording.resource();
    world.twilio.recordings().insert(recording.sid.clone(), recording);
    (StatusCode::CREATED, Json(resource)).into_response()
}
