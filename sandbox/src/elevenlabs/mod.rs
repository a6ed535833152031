//! ElevenLabs: conversations with an agent, their audio, calls out, and signed webhooks after a call.
//!
//! - [`conversation`]: one of them, in the words of the API. [`webhooks`]: what is posted and how it is signed.
//! - [`place`]: whole calls at once, and the end of one that was started through the API.

mod conversation;
mod place;
mod webhooks;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{recordings, samples, twilio, world::Shared};
use conversation::Conversation;
pub(crate) use place::{end, place};

/// What ElevenLabs holds.
#[derive(Clone, Debug, Serialize)]
pub struct ElevenlabsState {
    /// The conversations, oldest first.
    pub conversations: Vec<ElevenlabsConversation>,
}

/// One conversation and what became of its audio.
#[derive(Clone, Debug, Serialize)]
pub struct ElevenlabsConversation {
    /// Its id.
    pub conversation_id: String,
    /// Twilio's id of the call that it was held in.
    pub call_sid: String,
    /// What the caller of the API gave it to remember.
    pub chat_id: Option<String>,
    /// `in-progress`, `done`, `failed`.
    pub status: String,
    /// How many requests were answered with audio.
    pub served: u64,
}

pub(crate) struct Store {
    conversations: Mutex<BTreeMap<String, Conversation>>,
    next: AtomicU64,
}

impl Store {
    /// Counts from there on.
    pub(crate) fn from(first: u64) -> Self {
        Self { conversations: Mutex::default(), next: AtomicU64::new(first) }
    }

    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn conversations(&self) -> MutexGuard<'_, BTreeMap<String, Conversation>> {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> ElevenlabsState {
        let shown = |held: &Conversation| ElevenlabsConversation {
            conversation_id: held.id.clone(),
            call_sid: held.call_sid.clone(),
            chat_id: held.chat_id.clone(),
            status: held.status.to_owned(),
            served: held.served,
        };
        ElevenlabsState { conversations: self.conversations().values().map(shown).collect() }
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/elevenlabs/v1/convai/conversations", get(list))
        .route("/elevenlabs/v1/convai/conversations/{id}", get(show))
        .route("/elevenlabs/v1/convai/conversations/{id}/audio", get(audio))
        .route("/elevenlabs/v1/convai/twilio/outbound-call", post(call))
        .layer(middleware::from_fn(admit))
}

/// Their error for a status.
pub(crate) fn refusal(status: StatusCode) -> Response {
    let (code, message) = match status.as_u16() {
        401 => ("invalid_api_key", "Invalid API key"),
        404 => ("not_found", "Not found"),
        429 => ("too_many_concurrent_requests", "Too many concurrent requests"),
        503 => ("system_busy", "The system is busy"),
        _ => ("error", status.canonical_reason().unwrap_or("Error")),
    };
    (status, Json(json!({"detail": {"status": code, "message": message}}))).into_response()
}

async fn admit(request: Request, next: Next) -> Response {
    if request.headers().get("xi-api-key").is_none_or(|key| key.is_empty()) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    next.run(request).await
}

async fn list(State(world): State<Shared>, Query(asked): Query<HashMap<String, String>>) -> Json<Value> {
    let number = |name: &str| asked.get(name).and_then(|text| text.parse::<i64>().ok());
    let (size, from) = (number("page_size").unwrap_or(30).clamp(1, 100), number("cursor").unwrap_or(0).max(0));
    let conversations = world.elevenlabs.conversations();
    let wanted = |held: &&Conversation| {
        number("call_start_after_unix").is_none_or(|after| held.started_at.timestamp() >= after)
            && number("call_start_before_unix").is_none_or(|before| held.started_at.timestamp() <= before)
    };
    let (skip, take) = (usize::try_from(from).unwrap_or(0), usize::try_from(size).unwrap_or(1));
    let found: Vec<_> = conversations.values().filter(wanted).collect();
    let rows: Vec<_> = found.iter().skip(skip).take(take).map(|held| held.row()).collect();
    let more = found.len() > skip + take;
    Json(json!({"conversations": rows, "has_more": more, "next_cursor": more.then(|| (skip + take).to_string())}))
}

async fn show(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    match world.elevenlabs.conversations().get(&id) {
        Some(held) => Json(held.whole()).into_response(),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

/// One mixed channel, as they do; WAV here, where theirs is MP3.
async fn audio(State(world): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let file = match world.elevenlabs.conversations().get_mut(&id) {
        Some(held) if held.has_audio() && held.not_ready_times == 0 => {
            held.served += 1;
            held.audio()
        }
        Some(held) => {
            held.not_ready_times = held.not_ready_times.saturating_sub(1);
            return refusal(StatusCode::NOT_FOUND);
        }
        None => return refusal(StatusCode::NOT_FOUND),
    };
    let sent = recordings::send(&file, &headers, "audio/wav", false).await;
    sent.unwrap_or_else(|| refusal(StatusCode::NOT_FOUND))
}

/// Rings somebody up; who that is does not matter: the conversation is always of the same sample.
async fn call(State(world): State<Shared>, Json(order): Json<Value>) -> Response {
    let needed = ["agent_id", "agent_phone_number_id", "to_number"];
    let missing: Vec<_> = needed.iter().filter(|name| order[**name].as_str().is_none_or(str::is_empty)).collect();
    if !missing.is_empty() {
        let fault = |name: &&&str| json!({"loc": ["body", name], "msg": "Field required", "type": "missing"});
        let detail: Vec<_> = missing.iter().map(fault).collect();
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": detail}))).into_response();
    }
    let Some(sample) = samples::all().first() else { return refusal(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut held = Conversation::new(world.elevenlabs.next(), sample);
    held.status = "in-progress";
    held.outbound = true;
    held.phone = order["to_number"].as_str().unwrap_or_default().to_owned();
    held.agent_id = order["agent_id"].as_str().unwrap_or_default().to_owned();
    if order["call_recording_enabled"] == true {
        twilio::carry(&world, &held.call_sid, &held.phone, sample);
    }
    let variables = &order["conversation_initiation_client_data"]["dynamic_variables"];
    held.chat_id = variables["chat_id"].as_str().map(str::to_owned);
    let answer = json!({
        "success": true, "message": "Success", "conversation_id": held.id, "callSid": held.call_sid,
    });
    world.elevenlabs.conversations().insert(held.id.clone(), held);
    Json(answer).into_response()
}
