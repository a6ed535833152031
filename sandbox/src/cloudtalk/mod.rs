//! CloudTalk: the REST API under `/cloudtalk/api`, that of the analytics server under `/cloudtalk/analytics`, public
//! recording links under `/cloudtalk/pub`.
//! `rows` is the call list, `book` what it remembers of people; every other file is the endpoints of one subject and brings
//! its own `routes`.

mod agents;
mod book;
mod campaigns;
mod contacts;
mod notes;
mod rows;
mod webhooks;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    recordings::{self, Recording},
    switches::{Rate, Window},
    world::Shared,
};
pub use book::{CloudtalkAgent, CloudtalkCampaign, CloudtalkContact, CloudtalkNote, DialledCall};
pub(crate) use rows::{Call, digits};

const LIMIT: HeaderName = HeaderName::from_static("x-cloudtalkapi-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-cloudtalkapi-remaining");
const RESET_TIME: HeaderName = HeaderName::from_static("x-cloudtalkapi-resettime");

/// What CloudTalk holds.
#[derive(Clone, Debug, Serialize)]
pub struct CloudtalkState {
    /// How many calls were placed.
    pub calls: usize,
    /// The recordings, by call.
    pub recordings: Vec<RecordingState>,
    /// By creation.
    pub contacts: Vec<CloudtalkContact>,
    /// By id.
    pub agents: Vec<CloudtalkAgent>,
    /// By creation.
    pub campaigns: Vec<CloudtalkCampaign>,
    /// Calls that were started through the API, in order.
    pub dialled: Vec<DialledCall>,
}

/// One recording and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingState {
    /// CloudTalk's id of the call.
    pub call_id: u64,
    /// How many more requests will be answered with 404.
    pub not_ready_left: u32,
    /// Whether it is expired.
    pub gone: bool,
    /// How many requests were answered with audio.
    pub served: u64,
}

pub(crate) struct Store {
    calls: Mutex<BTreeMap<u64, Call>>,
    recordings: Mutex<HashMap<u64, Held>>,
    book: Mutex<book::Book>,
    window: Window,
    next_call: AtomicU64,
}

struct Held {
    recording: Recording,
    served: u64,
    /// The 64 hex digits that make the public link a secret.
    capability: String,
}

impl Store {
    /// Counts from there on: calls from 1000000000, contacts from 1450000000, and notes.
    pub(crate) fn from(first: u64) -> Self {
        Self {
            calls: Mutex::default(),
            recordings: Mutex::default(),
            book: Mutex::new(book::Book::from(first)),
            window: Window::default(),
            next_call: AtomicU64::new(1_000_000_000 + first),
        }
    }

    pub(crate) fn next_call_id(&self) -> u64 {
        self.next_call.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn add_call(&self, call: Call) {
        self.calls().insert(call.id, call);
    }

    /// Keeps a recording, in place of any before, and returns the path of its public link.
    pub(crate) fn add_recording(&self, call_id: u64, recording: Recording) -> String {
        let capability = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let segment =
            |text: &str| BASE64_STANDARD.encode(text).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let link = format!("/cloudtalk/pub/r/{}/{}.wav", segment(&call_id.to_string()), segment(&capability));
        self.recordings().insert(call_id, Held { recording, served: 0, capability });
        link
    }

    pub(crate) fn snapshot(&self) -> CloudtalkState {
        let mut recordings: Vec<_> = self
            .recordings()
            .iter()
            .map(|(call_id, held)| RecordingState {
                call_id: *call_id,
                not_ready_left: held.recording.not_ready_times,
                gone: held.recording.gone,
                served: held.served,
            })
            .collect();
        recordings.sort_by_key(|recording| recording.call_id);
        let book = self.book();
        CloudtalkState {
            calls: self.calls().len(),
            recordings,
            contacts: book.contacts.values().cloned().collect(),
            agents: book.agents.values().cloned().collect(),
            campaigns: book.campaigns.values().cloned().collect(),
            dialled: book.dialled.clone(),
        }
    }

    pub(crate) fn set_agent(&self, agent: CloudtalkAgent) {
        self.book().agents.insert(agent.id, agent);
    }

    fn book(&self) -> MutexGuard<'_, book::Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<u64, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recordings(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.recordings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The audio if it can be had now, else the status that says why not.
    fn fetch(&self, call_id: u64, capability: Option<&str>) -> Result<recordings::RecordingFile, StatusCode> {
        let mut recordings = self.recordings();
        let held = recordings.get_mut(&call_id).ok_or(StatusCode::NOT_FOUND)?;
        if capability.is_some_and(|given| given != held.capability) {
            return Err(StatusCode::NOT_FOUND);
        }
        if held.recording.gone {
            return Err(StatusCode::GONE);
        }
        if held.recording.not_ready_times > 0 {
            held.recording.not_ready_times -= 1;
            return Err(StatusCode::NOT_FOUND);
        }
        held.served += 1;
        Ok(held.recording.file.clone())
    }
}

pub(crate) fn routes(world: &Shared) -> Router<Shared> {
    let api = Router::new()
        .route("/calls/index.json", get(rows::index))
        .route("/calls/recording/{file}", get(recording))
        .route("/recordings/delete/{file}", delete(expire))
        .merge(people())
        .fallback(unrouted)
        .layer(middleware::from_fn_with_state(world.clone(), admit));
    let analytics = Router::new()
        .route("/calls/{id}", get(rows::detail))
        .layer(middleware::from_fn_with_state(world.clone(), admit));
    Router::new()
        .nest("/cloudtalk/api", api)
        .nest("/cloudtalk/analytics", analytics)
        .route("/cloudtalk/pub/r/{id}/{file}", get(public))
}

/// The API of people as the hand of somebody in CloudTalk's dashboard: no credentials, no quota, no ledger.
pub(crate) fn control() -> Router<Shared> {
    people().merge(agents::control())
}

fn people() -> Router<Shared> {
    Router::new().merge(contacts::routes()).merge(notes::routes()).merge(agents::routes()).merge(campaigns::routes())
}

/// CloudTalk's error envelope for a status, with the quota headers where it is about the quota.
pub(crate) fn refusal(status: StatusCode) -> Response {
    let message = match status.as_u16() {
        401 => "Unauthorized.",
        403 => "Forbidden.",
        404 => "Not found.",
        406 => "Invalid input data.",
        409 => "Agent is already calling.",
        410 => "Recording expired.",
        429 => "Too many requests.",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    let mut answer =
        (status, Json(json!({"responseData": {"status": status.as_u16(), "message": message}}))).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        quota(answer.headers_mut(), Rate::CLOUDTALK.max, 0, Duration::from_millis(Rate::CLOUDTALK.window_ms));
    }
    answer
}

fn quota(headers: &mut HeaderMap, max: u32, remaining: u32, resets_in: Duration) {
    let reset = chrono::Utc::now() + resets_in;
    headers.insert(LIMIT, max.into());
    headers.insert(REMAINING, remaining.into());
    headers.insert(RESET_TIME, reset.timestamp().into());
}

/// Asks for Basic credentials (any, but not empty) and counts against the quota.
async fn admit(State(world): State<Shared>, request: Request, next: Next) -> Response {
    if !has_basic(request.headers()) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let rate = world.switches().cloudtalk;
    let standing = world.cloudtalk.window.count(rate, Rate::CLOUDTALK);
    let mut answer = if standing.refused { refusal(StatusCode::TOO_MANY_REQUESTS) } else { next.run(request).await };
    quota(answer.headers_mut(), rate.unwrap_or(Rate::CLOUDTALK).max, standing.remaining, standing.resets_in);
    answer
}

fn envelope(data: &Value) -> Response {
    Json(json!({"responseData": data})).into_response()
}

/// What is wrong with which field.
fn invalid(field: &str, message: &str) -> Response {
    let data = json!({"status": 406, "message": "Invalid input data.", "data": {field: [message]}});
    (StatusCode::NOT_ACCEPTABLE, Json(json!({"responseData": data}))).into_response()
}

#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn object(body: &[u8]) -> Result<Map<String, Value>, Response> {
    serde_json::from_slice(body).map_err(|_| refusal(StatusCode::NOT_ACCEPTABLE))
}

/// A page of a list, as `limit` and `page` want it.
fn paged(rows: Vec<Value>, wanted: &BTreeMap<String, String>) -> Json<Value> {
    let number = |name: &str| wanted.get(name).and_then(|text| text.parse::<usize>().ok());
    let (limit, page) = (number("limit").unwrap_or(50).clamp(1, 1000), number("page").unwrap_or(1).max(1));
    let (all, pages) = (rows.len(), rows.len().div_ceil(limit));
    let data: Vec<_> = rows.into_iter().skip((page - 1) * limit).take(limit).collect();
    Json(json!({"responseData": {
        "itemsCount": all, "pageCount": pages, "pageNumber": page, "limit": limit, "data": data,
    }}))
}

fn has_basic(headers: &HeaderMap) -> bool {
    let pair = || {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = given.split_once(' ')?;
        let pair = BASE64_STANDARD.decode(encoded.trim()).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        Some(scheme.eq_ignore_ascii_case("basic") && colon > 0 && colon + 1 < pair.len())
    };
    pair().unwrap_or(false)
}

/// The bytes themselves, as `application/octet-stream`: that is what the live server sends, whatever its spec says.
async fn recording(State(world): State<Shared>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    match file.strip_suffix(".json").and_then(|id| id.parse().ok()) {
        Some(call_id) => audio(&world, call_id, None, &headers, "application/octet-stream").await,
        None => refusal(StatusCode::NOT_FOUND),
    }
}

async fn public(State(world): State<Shared>, Path((id, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let text = |encoded: &str| String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok();
    let call_id = text(&id).and_then(|id| id.parse().ok());
    let capability = file.strip_suffix(".wav").and_then(text);
    match (call_id, capability) {
        (Some(call_id), Some(capability)) => audio(&world, call_id, Some(&capability), &headers, "audio/x-wav").await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn audio(
    world: &Shared,
    call_id: u64,
    capability: Option<&str>,
    headers: &HeaderMap,
    kind: &'static str,
) -> Response {
    match world.cloudtalk.fetch(call_id, capability) {
        Ok(file) => recordings::send(&file, headers, kind, world.switches().ranges)
            .await
            .unwrap_or_else(|| refusal(StatusCode::NOT_FOUND)),
        Err(status) => refusal(status),
    }
}

async fn expire(State(world): State<Shared>, Path(file): Path<String>) -> Response {
    let call_id = file.strip_suffix(".json").and_then(|id| id.parse::<u64>().ok());
    let was_gone = call_id.and_then(|id| {
        let mut recordings = world.cloudtalk.recordings();
        Some(std::mem::replace(&mut recordings.get_mut(&id)?.recording.gone, true))
    });
    match was_gone {
        Some(false) => Json(json!({"responseData": {"status": 200}})).into_response(),
        Some(true) => refusal(StatusCode::GONE),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

/// What CakePHP says to a path that is not routed.
async fn unrouted(request: Request) -> Response {
    let url = format!("/api{}", request.uri().path());
    (StatusCode::NOT_FOUND, Json(json!({"name": "Not Found", "message": "Not Found", "url": url}))).into_response()
}
