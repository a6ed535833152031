//! Callmind: the call history under `/callmind/api`, records keyed by `callSid`.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{patch, post},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{switches::CallmindDuplicates, world::Shared};

/// The call records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallmindState {
    /// By creation.
    pub records: Vec<CallmindRecord>,
}

/// One call as Callmind holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallmindRecord {
    /// Callmind's id, `call_…`.
    pub id: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Every write in order, the repeated creations too.
    pub history: Vec<CallmindUpdate>,
    /// The fields as they stand, merged from all updates: `callSid`, `status`, `transcript`…
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// One write to a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallmindUpdate {
    /// When it came.
    pub at: DateTime<Utc>,
    /// `create`, `duplicate`, `update`, `webhook-started` or `webhook-completed`.
    pub via: String,
    /// What was sent.
    pub fields: Map<String, Value>,
}

#[derive(Default)]
pub(crate) struct Store(Mutex<Records>);

#[derive(Default)]
struct Records {
    records: Vec<CallmindRecord>,
    by_id: HashMap<String, usize>,
    by_sid: HashMap<String, usize>,
    /// How often each token was sent.
    tokens: HashMap<String, u32>,
}

impl Store {
    pub(crate) fn snapshot(&self) -> CallmindState {
        CallmindState { records: self.records().records.clone() }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    fn create(&mut self, sid: &str, fields: Map<String, Value>, via: &str) -> &CallmindRecord {
        let (at, place) = (Utc::now(), self.records.len());
        let id = format!("call_{:016x}", rand::random::<u64>());
        let update = CallmindUpdate { at, via: via.to_owned(), fields: fields.clone() };
        self.by_id.insert(id.clone(), place);
        self.by_sid.insert(sid.to_owned(), place);
        self.records.push(CallmindRecord { id, created_at: at, history: vec![update], fields });
        &self.records[place]
    }

    fn merge(&mut self, place: usize, fields: Map<String, Value>, via: &str) -> &CallmindRecord {
        let record = &mut self.records[place];
        record.fields.extend(fields.clone());
        record.history.push(CallmindUpdate { at: Utc::now(), via: via.to_owned(), fields });
        record
    }

    /// A creation of what exists leaves a trace, but changes nothing.
    fn note_duplicate(&mut self, place: usize, fields: Map<String, Value>) -> &CallmindRecord {
        let record = &mut self.records[place];
        record.history.push(CallmindUpdate { at: Utc::now(), via: "duplicate".to_owned(), fields });
        record
    }
}

pub(crate) fn routes(world: &Shared) -> Router<Shared> {
    let api = Router::new()
        .route("/call-history", post(create))
        .route("/call-history/{id}/status", patch(update))
        .route("/webhooks/calls/started", post(started))
        .route("/webhooks/calls/completed", post(completed))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .layer(middleware::from_fn_with_state(world.clone(), admit));
    Router::new().nest("/callmind/api", api)
}

/// The guide names no error body; this one is as plain as can be.
pub(crate) fn refusal(status: StatusCode) -> Response {
    error(status, status.canonical_reason().unwrap_or("Error"))
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": message}))).into_response()
}

/// Any bearer token that has not expired, but not none.
async fn admit(State(world): State<Shared>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|given| given.strip_prefix("Bearer ")).map(str::trim).filter(|token| !token.is_empty());
    match token {
        Some(token) if good(&world, token) => next.run(request).await,
        _ => error(StatusCode::UNAUTHORIZED, "Invalid or missing token"),
    }
}

fn good(world: &Shared, token: &str) -> bool {
    let Some(requests) = world.switches().callmind_token_requests else { return true };
    let mut records = world.callmind.records();
    let used = records.tokens.entry(token.to_owned()).or_default();
    *used += 1;
    *used <= requests
}

/// The body as an object with these texts in it, or the 400 that says what is missing.
#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn object(body: &[u8], required: &[&str]) -> Result<Map<String, Value>, Response> {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Err(error(StatusCode::BAD_REQUEST, "The body is not a JSON object"));
    };
    let text = |name: &&&str| fields.get(**name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    match required.iter().find(|name| !text(name)) {
        None => Ok(fields),
        Some(name) => Err(error(StatusCode::BAD_REQUEST, &format!("Missing or invalid field: {name}"))),
    }
}

fn sid_of(fields: &Map<String, Value>) -> String {
    fields.get("callSid").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn reply(status: StatusCode, record: &CallmindRecord) -> Response {
    let body = json!({
        "id": record.id,
        "agentId": record.fields.get("agentId"),
        "status": record.fields.get("status"),
        "createdAt": record.created_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    (status, Json(body)).into_response()
}

async fn create(State(world): State<Shared>, body: Bytes) -> Response {
    let fields = match object(&body, &["agentId", "callSid", "direction", "status"]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if let Some(refused) = wrong_types(&fields) {
        return refused;
    }
    let sid = sid_of(&fields);
    let mut records = world.callmind.records();
    let Some(place) = records.by_sid.get(&sid).copied() else {
        return reply(StatusCode::CREATED, records.create(&sid, fields, "create"));
    };
    let record = records.note_duplicate(place, fields);
    match world.switches().callmind_duplicates {
        CallmindDuplicates::SameId => reply(StatusCode::OK, record),
        CallmindDuplicates::Created => reply(StatusCode::CREATED, record),
        CallmindDuplicates::Conflict => reply(StatusCode::CONFLICT, record),
        CallmindDuplicates::ConflictWithoutId => error(StatusCode::CONFLICT, "A call with this callSid exists"),
        CallmindDuplicates::Nested => {
            Json(json!({"success": true, "data": {"id": record.id, "callSid": sid}})).into_response()
        }
        CallmindDuplicates::BadRequest => {
            let body = json!({"error": {"message": "callSid already exists", "existing": {"_id": record.id}}});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        CallmindDuplicates::ServerError => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "Unique constraint failed on the fields: (`callSid`)")
        }
        CallmindDuplicates::Words => Json(json!({"message": "Call already exists"})).into_response(),
    }
}

async fn update(State(world): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    let fields = match object(&body, &["status"]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if let Some(refused) = wrong_types(&fields) {
        return refused;
    }
    if !matches!(fields["status"].as_str(), Some("completed" | "missed" | "failed")) {
        return error(StatusCode::BAD_REQUEST, "Missing or invalid field: status");
    }
    let mut records = world.callmind.records();
    match records.by_id.get(&id).copied() {
        Some(place) => reply(StatusCode::OK, records.merge(place, fields, "update")),
        None => error(StatusCode::NOT_FOUND, "Call not found"),
    }
}

/// The optional fields have types too.
fn wrong_types(fields: &Map<String, Value>) -> Option<Response> {
    let wrong = |name: &str, right: fn(&Value) -> bool| {
        fields.get(name).is_some_and(|value| !value.is_null() && !right(value)).then(|| name.to_owned())
    };
    let sentiment = |value: &Value| matches!(value.as_str(), Some("positive" | "negative" | "neutral"));
    wrong("duration", Value::is_number)
        .or_else(|| wrong("cost", Value::is_number))
        .or_else(|| wrong("topics", Value::is_array))
        .or_else(|| wrong("collectedData", Value::is_object))
        .or_else(|| wrong("sentiment", sentiment))
        .or_else(|| {
            ["recordingUrl", "transcript", "summary", "callerNumber"]
                .iter()
                .find_map(|name| wrong(name, Value::is_string))
        })
        .map(|name| error(StatusCode::BAD_REQUEST, &format!("Missing or invalid field: {name}")))
}

async fn started(State(world): State<Shared>, body: Bytes) -> Response {
    let required = ["callSid", "agentId", "direction", "callerNumber"];
    webhook(&world, &body, &required, "webhook-started", "in-progress")
}

async fn completed(State(world): State<Shared>, body: Bytes) -> Response {
    webhook(&world, &body, &["callSid"], "webhook-completed", "completed")
}

/// Keyed by `callSid` alone; makes the record if it is not there.
fn webhook(world: &Shared, body: &[u8], required: &[&str], via: &str, status: &str) -> Response {
    let mut fields = match object(body, required) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if let Some(refused) = wrong_types(&fields) {
        return refused;
    }
    fields.entry("status").or_insert_with(|| status.into());
    let sid = sid_of(&fields);
    let mut records = world.callmind.records();
    match records.by_sid.get(&sid).copied() {
        Some(place) => reply(StatusCode::OK, records.merge(place, fields, via)),
        None => reply(StatusCode::OK, records.create(&sid, fields, via)),
    }
}
