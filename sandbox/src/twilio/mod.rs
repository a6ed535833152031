//! Twilio: calls, their recordings, and signed callbacks about them. One account, whichever is asked for.
//!
//! - [`calls`] and [`recordings`]: the REST API. [`callback`]: what is posted and how it is signed.
//! - [`place`]: whole calls at once. [`live`]: a call step by step, to be recorded while it goes on.

mod callback;
mod calls;
mod live;
mod place;
mod recordings;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::world::Shared;
pub(crate) use calls::Call;
pub(crate) use live::{answer, carry, dial, end, hang_up};
pub(crate) use place::place;
pub(crate) use recordings::Recording;

/// The account that calls are placed in; requests for any other see the same.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// What Twilio holds.
#[derive(Clone, Debug, Serialize)]
pub struct TwilioState {
    /// The calls, oldest first.
    pub calls: Vec<TwilioCall>,
    /// The recordings, oldest first.
    pub recordings: Vec<TwilioRecording>,
}

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct TwilioCall {
    /// Its id.
    pub sid: String,
    /// `queued`, `ringing`, `in-progress`, `completed`, `no-answer`, …
    pub status: String,
}

/// One recording and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct TwilioRecording {
    /// Its id.
    pub sid: String,
    /// The call that it is of.
    pub call_sid: String,
    /// `in-progress`, `completed`, `absent`, `deleted`.
    pub status: String,
    /// What made it: `StartCallRecordingAPI`, …
    pub source: String,
    /// Channels that were asked for when it was begun.
    pub channels: u8,
    /// How many requests were answered with audio.
    pub served: u64,
}

pub(crate) struct Store {
    calls: Mutex<BTreeMap<String, Call>>,
    recordings: Mutex<BTreeMap<String, Recording>>,
    next: AtomicU64,
}

impl Store {
    /// Counts from there on.
    pub(crate) fn from(first: u64) -> Self {
        Self { calls: Mutex::default(), recordings: Mutex::default(), next: AtomicU64::new(first) }
    }

    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recordings(&self) -> MutexGuard<'_, BTreeMap<String, Recording>> {
        self.recordings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> TwilioState {
        let calls = self.calls();
        let calls = calls.values().map(|call| TwilioCall { sid: call.sid.clone(), status: call.status.to_owned() });
        let calls = calls.collect();
        let recordings = self.recordings();
        let shown = |held: &Recording| TwilioRecording {
            sid: held.sid.clone(),
            call_sid: held.call_sid.clone(),
            status: held.status.to_owned(),
            source: held.source.to_owned(),
            channels: held.channels,
            served: held.served,
        };
        TwilioState { calls, recordings: recordings.values().map(shown).collect() }
    }
}

pub(crate) fn routes(world: &Shared) -> Router<Shared> {
    let account = Router::new()
        .route("/Calls.json", get(calls::list))
        .route("/Calls/{file}", get(calls::show))
        .route("/Calls/{call}/Recordings.json", get(recordings::of_call).post(recordings::create))
        .route("/Recordings.json", get(recordings::list))
        .route("/Recordings/{file}", get(recordings::show).delete(recordings::delete))
        .layer(middleware::from_fn_with_state(world.clone(), admit));
    Router::new()
        .route("/twilio/2010-04-01/Accounts/{file}", get(show_account))
        .nest("/twilio/2010-04-01/Accounts/{account}", account)
}

/// Twilio's error in JSON for a status, with the code that goes with it.
pub(crate) fn refusal(status: StatusCode) -> Response {
    let (code, message) = match status.as_u16() {
        401 => (20003, "Authenticate"),
        404 => (20404, "The requested resource was not found"),
        429 => (20429, "Too Many Requests"),
        503 => (20503, "Service unavailable"),
        _ => (20500, status.canonical_reason().unwrap_or("Error")),
    };
    problem(status, code, message)
}

fn problem(status: StatusCode, code: u32, message: &str) -> Response {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    let body = json!({"code": code, "message": message, "more_info": more, "status": status.as_u16()});
    (status, Json(body)).into_response()
}

/// The same in XML, as media has it.
fn xml(status: StatusCode, code: u32, message: &str) -> Response {
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>{code}</Code><Message>{message}</Message>\
         <MoreInfo>https://www.twilio.com/docs/errors/{code}</MoreInfo><Status>{}</Status></RestException></TwilioResponse>",
        status.as_u16()
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

async fn admit(State(_): State<Shared>, request: Request, next: Next) -> Response {
    if has_basic(request.headers()) { next.run(request).await } else { refusal(StatusCode::UNAUTHORIZED) }
}

async fn show_account(headers: HeaderMap) -> Response {
    if !has_basic(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    Json(json!({"sid": ACCOUNT, "friendly_name": "Sandbox", "status": "active", "type": "Full"})).into_response()
}

/// Any account and key will do, but not empty ones.
fn has_basic(headers: &HeaderMap) -> bool {
    let pair = || {
        let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let pair = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (account, key) = pair.split_once(':')?;
        Some(scheme.eq_ignore_ascii_case("basic") && !account.is_empty() && !key.is_empty())
    };
    pair().unwrap_or(false)
}

/// A time as Twilio writes it: `Thu, 09 Oct 2025 08:53:20 +0000`.
fn date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
