//! GoHighLevel under `/ghl`: contacts, tags, notes, custom fields, conversations, opportunities; and its webhooks.
//! `book` is what it remembers; every other file is the endpoints of one subject and brings its own `routes`.

mod book;
mod contacts;
mod conversations;
mod custom_fields;
mod notes;
mod opportunities;
mod search;
mod tags;
mod webhooks;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Map, Value, json};

use crate::{
    switches::{Rate, Window},
    world::Shared,
};
use book::Book;
pub use book::{Contact, ContactState, Conversation, CustomField, FieldValue, GhlState, Message, Note};

const DAILY: u32 = 200_000;
const LIMIT_HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("x-ratelimit-max"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-interval-milliseconds"),
    HeaderName::from_static("x-ratelimit-limit-daily"),
    HeaderName::from_static("x-ratelimit-daily-remaining"),
];

#[derive(Default)]
pub(crate) struct Store {
    book: Mutex<Book>,
    window: Window,
    today: AtomicU32,
}

impl Store {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> GhlState {
        self.book().snapshot()
    }
}

pub(crate) fn routes(world: &Shared) -> Router<Shared> {
    let api = subjects().fallback(unrouted).layer(middleware::from_fn_with_state(world.clone(), admit));
    Router::new().nest("/ghl", api).route("/ghl/hooks/{location}/webhook-trigger/{id}", post(trigger))
}

/// The API without credentials and quota: what people do by hand.
pub(crate) fn control() -> Router<Shared> {
    subjects()
}

fn subjects() -> Router<Shared> {
    Router::new()
        .merge(contacts::routes())
        .merge(search::routes())
        .merge(tags::routes())
        .merge(notes::routes())
        .merge(custom_fields::routes())
        .merge(conversations::routes())
        .merge(opportunities::routes())
}

/// The vendor's error body for a status. That of 429 is undocumented; this is the shape of all the others.
pub(crate) fn refusal(status: StatusCode) -> Response {
    let message = match status.as_u16() {
        401 => "Invalid token: access token is invalid",
        429 => "Too Many Requests",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    let mut answer = error(status, &message.into());
    let remaining = if status == StatusCode::TOO_MANY_REQUESTS { 0 } else { Rate::GHL.max - 1 };
    quota(answer.headers_mut(), Rate::GHL, remaining, DAILY - 1);
    answer
}

fn quota(headers: &mut HeaderMap, rate: Rate, remaining: u32, today: u32) {
    let interval = u32::try_from(rate.window_ms).unwrap_or(u32::MAX);
    for (name, value) in LIMIT_HEADERS.into_iter().zip([rate.max, remaining, interval, DAILY, today]) {
        headers.insert(name, value.into());
    }
}

/// Bearer, `Version`, and the quota.
async fn admit(State(world): State<Shared>, request: Request, next: Next) -> Response {
    let rate = world.switches().ghl;
    let standing = world.ghl.window.count(rate, Rate::GHL);
    let used = world.ghl.today.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let mut answer = match refused(request.headers()) {
        Some(message) => error(StatusCode::UNAUTHORIZED, &message.into()),
        None if standing.refused => error(StatusCode::TOO_MANY_REQUESTS, &"Too Many Requests".into()),
        None => next.run(request).await,
    };
    let mut rate = rate.unwrap_or(Rate::GHL);
    if standing.refused {
        // What is left of the window, so that waiting for this long is enough.
        rate.window_ms =
            standing.resets_in.max(Duration::from_millis(1)).as_millis().try_into().unwrap_or(rate.window_ms);
    }
    quota(answer.headers_mut(), rate, standing.remaining, DAILY.saturating_sub(used));
    answer
}

fn refused(headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = text(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    if token.trim().is_empty() {
        return Some("Invalid token: access token is invalid");
    }
    match text(HeaderName::from_static("version")) {
        "" => Some("version header was not found."),
        "2021-04-15" | "2021-07-28" | "2023-02-21" | "v3" => None,
        _ => Some("version header is invalid."),
    }
}

/// What starts a workflow. The address is the secret.
async fn trigger(State(world): State<Shared>, Json(body): Json<Value>) -> Response {
    world.ghl.book().triggered.push(body);
    Json(json!({"status": "Success: request sent to trigger execution server"})).into_response()
}

async fn unrouted(request: Request) -> Response {
    error(StatusCode::NOT_FOUND, &format!("Cannot {} {}", request.method(), request.uri().path()).into())
}

/// Every reply carries a `traceId`.
fn reply(status: StatusCode, mut body: Value) -> Response {
    body["traceId"] = uuid::Uuid::now_v7().to_string().into();
    (status, Json(body)).into_response()
}

/// `message` is a string or, from validation, a list of strings.
fn error(status: StatusCode, message: &Value) -> Response {
    let reason = match status {
        StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Entity",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    reply(status, json!({"message": message, "error": reason, "statusCode": status.as_u16()}))
}

fn bad_request(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, &message.into())
}

fn unprocessable(messages: &[String]) -> Response {
    error(StatusCode::UNPROCESSABLE_ENTITY, &messages.into())
}

/// An unknown contact is a bad request here, not a 404.
fn no_contact(id: &str) -> Response {
    bad_request(&format!("Contact with id {id} not found"))
}

/// The body as an object that holds what it must and nothing else, or the answer that refuses it.
#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn object(body: &[u8], required: &[&str], allowed: &[&str]) -> Result<Map<String, Value>, Response> {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Err(bad_request("The body is not a JSON object"));
    };
    let strange = fields.keys().filter(|name| !allowed.contains(&name.as_str()) && !required.contains(&name.as_str()));
    let mut wrong: Vec<String> = strange.map(|name| format!("property {name} should not exist")).collect();
    for name in required {
        match fields.get(*name) {
            None | Some(Value::Null) => wrong.push(format!("{name} should not be empty")),
            Some(Value::String(text)) if text.is_empty() => wrong.push(format!("{name} should not be empty")),
            Some(_) => {}
        }
    }
    if wrong.is_empty() { Ok(fields) } else { Err(unprocessable(&wrong)) }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

/// An id in the vendor's style: 20 letters and digits.
fn new_id() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut left = rand::random::<u128>();
    let mut letter = || {
        let at = usize::try_from(left % LETTERS.len() as u128).unwrap_or(0);
        left /= LETTERS.len() as u128;
        char::from(LETTERS[at])
    };
    (0..20).map(|_| letter()).collect()
}
