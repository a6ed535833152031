//! An exchange that nobody has heard of: it posts JSON of its own shape about its calls, with a secret in a header, and has
//! their audio on a plain web server.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::Utc;
use serde_json::{Value, json};

use crate::{
    calls::{CallMode, PlaceCall, PlacedCall, WebhookAnswer},
    recordings::{self, Recording, RecordingFile},
    samples::Sample,
    world::{Shared, World},
};

pub(crate) struct Store {
    media: Mutex<BTreeMap<String, Recording>>,
    next: AtomicU64,
}

impl Store {
    /// Counts from there on.
    pub(crate) fn from(first: u64) -> Self {
        Self { media: Mutex::default(), next: AtomicU64::new(first) }
    }

    fn media(&self) -> MutexGuard<'_, BTreeMap<String, Recording>> {
        self.media.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/generic/media/{file}", get(media))
}

pub(crate) fn refusal(status: StatusCode) -> Response {
    (status, Json(json!({"error": status.canonical_reason().unwrap_or("error")}))).into_response()
}

async fn media(State(world): State<Shared>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    let audio = match world.generic.media().get_mut(&file) {
        Some(held) if held.not_ready_times == 0 => held.file.clone(),
        Some(held) => {
            held.not_ready_times -= 1;
            return refusal(StatusCode::NOT_FOUND);
        }
        None => return refusal(StatusCode::NOT_FOUND),
    };
    let sent = recordings::send(&audio, &headers, "audio/wav", false).await;
    sent.unwrap_or_else(|| refusal(StatusCode::NOT_FOUND))
}

/// The recording's URL is under no name that says so: in a list of assets, or in an event of its own. With `ApiFallback`
/// it is only ever told by its extension.
pub(crate) async fn place(world: &World, order: &PlaceCall, sample: &'static Sample) -> PlacedCall {
    let number = order.call_id.unwrap_or_else(|| world.generic.next.fetch_add(1, Ordering::Relaxed));
    let id = format!("pbx-{number}.{}", sample.name);
    let recorded = !matches!(order.mode, CallMode::Missed | CallMode::NotRecorded);
    let url = recorded.then(|| {
        let audio = if order.mono { sample.mono_wav() } else { sample.wav.clone() };
        let file = RecordingFile::Bytes(audio).not_ready(order.not_ready_times);
        world.generic.media().insert(format!("{id}.wav"), file);
        format!("{}/generic/media/{id}.wav", world.origin)
    });
    let mut answers = Vec::new();
    for body in events(order, sample, &id, url.as_deref()) {
        for _ in 0..=order.duplicates {
            answers.push(post(world, order, &body).await);
        }
    }
    PlacedCall { call_id: number, call_uuid: id, recording_url: url, answers }
}

fn events(order: &PlaceCall, sample: &Sample, id: &str, url: Option<&str>) -> Vec<Value> {
    let contact = order.contact_phone.as_ref().unwrap_or(&sample.contact.phone);
    let inbound = sample.direction == "incoming";
    let ours = &sample.internal_number;
    let (from, to) = if inbound { (contact, ours) } else { (ours, contact) };
    let missed = order.mode == CallMode::Missed;
    let call = json!({
        "id": id, "direction": if inbound { "INBOUND" } else { "OUTBOUND" },
        "from": {"number": from}, "to": {"number": to}, "operator": {"id": sample.agent.id, "name": sample.agent.name},
        "customer": {"id": sample.contact.id, "name": order.contact_name.as_ref().unwrap_or(&sample.contact.name)},
        "start_time": Utc::now().timestamp_millis(),
    });
    let mut over = call.clone();
    over["disposition"] = if missed { "NO ANSWER" } else { "ANSWERED" }.into();
    over["talk_time"] = if missed { 0.0 } else { sample.duration.ceil() }.into();
    over["end_time"] = Utc::now().timestamp_millis().into();
    over["has_recording"] = url.is_some().into();
    match order.mode {
        CallMode::EndedWithUrl => over["assets"] = json!([{"kind": "recording", "recording": {"href": url}}]),
        CallMode::ApiFallback => over["files"] = json!([{"name": "call", "location": url}]),
        _ => {}
    }
    let event = |name: &str, call: Value| json!({"event": name, "account": {"id": 12}, "data": {"call": call}});
    let mut events = vec![event("call.started", call), event("call.hangup", over)];
    if order.mode == CallMode::EndedThenRecording {
        events.push(event("recording.ready", json!({"id": id, "recording": {"url": url, "format": "wav"}})));
    }
    events
}

async fn post(world: &World, order: &PlaceCall, body: &Value) -> WebhookAnswer {
    let url = format!("{}/webhooks/generic", order.webhook_base.trim_end_matches('/'));
    let request = world.http().post(url).header("x-webhook-secret", &order.secret).json(body);
    let (status, text) = match request.send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(error) => (0, format!("no answer: {}", error.without_url())),
    };
    WebhookAnswer { event: body["event"].as_str().unwrap_or_default().to_owned(), status, body: text }
}
