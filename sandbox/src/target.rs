//! A URL of the operator's own that hears of calls, at `/target`: it checks the signature as Standard Webhooks wants it and
//! keeps what it is told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::Shared;

/// What its messages are signed with.
pub const SECRET: &str = "whsec_dGFwZWRlY2sncyBzYW5kYm94IGhhcyBubyBzZWNyZXRz";
/// How far a message's time may be off, in seconds: what the libraries of Standard Webhooks accept.
const TOLERANCE: i64 = 300;

/// The messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetState {
    /// In the order in which they first came.
    pub messages: Vec<TargetMessage>,
}

/// One message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetMessage {
    /// Its `webhook-id`.
    pub id: String,
    /// When it first came.
    pub at: DateTime<Utc>,
    /// How often it came.
    pub times: u32,
    /// What it said.
    pub payload: Value,
}

#[derive(Default)]
pub(crate) struct Store(Mutex<Vec<TargetMessage>>);

impl Store {
    pub(crate) fn snapshot(&self) -> TargetState {
        TargetState { messages: self.messages().clone() }
    }

    fn messages(&self) -> MutexGuard<'_, Vec<TargetMessage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/target", post(receive))
}

/// Nothing says what a receiver answers; this one is as plain as can be.
pub(crate) fn refusal(status: StatusCode) -> Response {
    (status, Json(json!({"error": status.canonical_reason().unwrap_or("Error")}))).into_response()
}

async fn receive(State(world): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let now = Utc::now();
    let timely = at.parse::<i64>().is_ok_and(|at| (now.timestamp() - at).abs() <= TOLERANCE);
    let expected = signature(id, at, &body);
    if id.is_empty() || !timely || !header("webhook-signature").split(' ').any(|given| given == expected) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let Ok(payload) = serde_json::from_slice::<Value>(&body) else { return refusal(StatusCode::BAD_REQUEST) };
    let mut messages = world.target.messages();
    match messages.iter_mut().find(|message| message.id == id) {
        Some(message) => message.times += 1,
        None => messages.push(TargetMessage { id: id.to_owned(), at: now, times: 1, payload }),
    }
    StatusCode::NO_CONTENT.into_response()
}

fn signature(id: &str, at: &str, body: &[u8]) -> String {
    let key = BASE64_STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("a literal in base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}
