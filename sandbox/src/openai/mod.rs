//! OpenAI under `/openai/v1`: speech (`speech`, `recognise`, `parts`, `said`), chat (`chat`, `feedback`, `schema`, `bent`), the models.

mod audio;
mod bent;
mod chat;
mod feedback;
mod formats;
mod opus;
mod parts;
mod recognise;
mod said;
mod schema;
mod speech;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Value, json};

pub use self::bent::Bent;
pub(crate) use self::bent::bent;
use crate::world::Shared;

/// How much was asked of OpenAI.
#[derive(Clone, Debug, Serialize)]
pub struct OpenaiState {
    /// Transcriptions that were answered with a text, an empty one included.
    pub transcriptions: u64,
    /// Chat completions that were answered.
    pub chats: u64,
    /// What the last of them were asked, oldest first.
    pub asked: Vec<Value>,
}

/// So many questions are kept.
const KEPT: usize = 50;

#[derive(Default)]
pub(crate) struct Store {
    /// What was recognised, by content of the file.
    heard: Mutex<HashMap<(u64, usize), Arc<speech::Heard>>>,
    transcriptions: AtomicU64,
    chats: AtomicU64,
    asked: Mutex<VecDeque<Value>>,
}

impl Store {
    pub(crate) fn snapshot(&self) -> OpenaiState {
        OpenaiState {
            transcriptions: self.transcriptions.load(Ordering::Relaxed),
            chats: self.chats.load(Ordering::Relaxed),
            asked: self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect(),
        }
    }

    fn chatted(&self, question: Value) {
        self.chats.fetch_add(1, Ordering::Relaxed);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push_back(question);
        if asked.len() > KEPT {
            asked.pop_front();
        }
    }
}

pub(crate) fn routes(_: &Shared) -> Router<Shared> {
    let api = Router::new()
        .route("/models", get(models))
        .route("/audio/transcriptions", post(speech::transcribe))
        .route("/chat/completions", post(chat::complete))
        .fallback(unrouted)
        .layer(middleware::from_fn(admit))
        .layer(DefaultBodyLimit::disable());
    Router::new().nest("/openai/v1", api)
}

/// OpenAI's error body for a status.
pub(crate) fn refusal(status: StatusCode) -> Response {
    match status.as_u16() {
        401 => error(
            status,
            "Incorrect API key provided: sandbox.",
            "invalid_request_error",
            None,
            Some("invalid_api_key"),
        ),
        404 => error(
            status,
            "The model does not exist or you do not have access to it.",
            "invalid_request_error",
            None,
            Some("model_not_found"),
        ),
        413 => too_large(speech::LIMIT + 1),
        429 => {
            let message = "Rate limit reached for whisper-1 in organization org-sandbox on requests per min (RPM): \
                Limit 500, Used 500, Requested 1. Please try again in 1.2s.";
            let mut answer = error(status, message, "requests", None, Some("rate_limit_exceeded"));
            quota(answer.headers_mut(), "0", "1.2s");
            answer
        }
        400..500 => error(status, "Invalid request.", "invalid_request_error", None, None),
        _ => error(status, "The server had an error while processing your request.", "server_error", None, None),
    }
}

fn error(status: StatusCode, message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Response {
    (status, Json(json!({"error": {"message": message, "type": kind, "param": param, "code": code}}))).into_response()
}

fn invalid(message: &str, param: Option<&str>, code: Option<&str>) -> Response {
    error(StatusCode::BAD_REQUEST, message, "invalid_request_error", param, code)
}

/// The refusal above 25 MB, as it was seen.
fn too_large(read: u64) -> Response {
    let message = format!("413: Maximum content size limit ({}) exceeded ({read} bytes read)", speech::LIMIT);
    let body = json!({
        "error": {"message": message, "type": "server_error", "param": null, "code": null},
        "usage": {"type": "duration", "seconds": 0},
    });
    (StatusCode::PAYLOAD_TOO_LARGE, Json(body)).into_response()
}

fn quota(headers: &mut HeaderMap, remaining: &'static str, reset: &'static str) {
    let values = [
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-remaining-requests", remaining),
        ("x-ratelimit-reset-requests", reset),
    ];
    for (name, value) in values {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// Any bearer token, but not none.
async fn admit(request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let known = given.and_then(|given| given.strip_prefix("Bearer ")).is_some_and(|token| !token.trim().is_empty());
    let mut answer = if known {
        next.run(request).await
    } else {
        let message = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.";
        error(StatusCode::UNAUTHORIZED, message, "invalid_request_error", None, Some("invalid_api_key"))
    };
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&format!("req_{:032x}", rand::random::<u128>())) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    quota(headers, "499", "120ms");
    answer
}

async fn unrouted(request: Request) -> Response {
    let message = format!("Invalid URL ({} /v1{})", request.method(), request.uri().path());
    error(StatusCode::NOT_FOUND, &message, "invalid_request_error", None, None)
}

async fn models() -> Json<Value> {
    let list = [
        ("whisper-1", Some("2027-02-26")),
        ("gpt-4o-transcribe", Some("2027-02-26")),
        ("gpt-4o-mini-transcribe", Some("2027-02-26")),
        ("gpt-transcribe", None),
        ("gpt-4o-mini", Some("2027-01-14")),
        ("gpt-6-luna", None),
        ("gpt-6.1-terra", None),
    ];
    let row = |(id, shutdown): (&str, Option<&str>)| json!({"id": id, "object": "model", "created": 1_677_532_384, "owned_by": "openai", "shutdown_date": shutdown});
    Json(json!({"object": "list", "data": list.map(row)}))
}
