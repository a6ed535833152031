//! The sandbox's own routes: the start page, liveness, and `/control/…` to steer and to look.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    calls::{self, PlaceCall},
    cloudtalk,
    faults::Fault,
    ghl,
    hooks::Hook,
    ledger::{LedgerEntry, LedgerFilter},
    recordings::{Recording, RecordingFile},
    samples,
    switches::{Switches, SwitchesPatch},
    vendor::Vendor,
    world::Shared,
};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(start_page))
        .route("/livez", get(|| async { "ok" }))
        .route("/control/faults", post(add_fault).get(list_faults).delete(clear_faults))
        .route("/control/ledger", get(ledger).delete(clear_ledger))
        .route("/control/state", get(state))
        .route("/control/limits", post(switch).get(switches))
        .route("/control/calls", post(place))
        .route("/control/recordings", post(add_recording))
        .route("/control/samples", get(list_samples))
        .route("/control/webhooks", post(hook_up))
        .nest("/control/cloudtalk", cloudtalk::control())
        .nest("/control/ghl", ghl::control())
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
}

async fn start_page(State(world): State<Shared>) -> String {
    let mut page = String::from(
        "This is the Tapedeck sandbox. It SIMULATES services outside; nothing here is real and nothing is sent to them.\n\
         Every answer carries the header x-simulated-by: tapedeck-sandbox.\n\nSimulated vendors, by base URL:\n",
    );
    for vendor in Vendor::ALL {
        page.push_str(&format!("  {:<10} {}{}\n", vendor.prefix(), world.origin, vendor.api()));
    }
    page.push_str(
        "\nControl, without credentials, so never expose it:\n\
         \x20 POST   /control/calls       place a call: its recording, its webhooks\n\
         \x20 POST   /control/recordings  make a recording available\n\
         \x20 POST   /control/faults      make requests go wrong; GET lists, DELETE clears\n\
         \x20 POST   /control/limits      quotas, duplicates, ranges, record; GET shows\n\
         \x20 GET    /control/ledger      what the vendors were asked; DELETE forgets\n\
         \x20 GET    /control/state       what the vendors hold\n\
         \x20 GET    /control/samples     the sample calls\n\
         \x20 POST   /control/webhooks    where a vendor posts webhooks when what it holds changes\n\
         \x20 *      /control/cloudtalk/… CloudTalk's API without credentials, quota and ledger; and agents/set.json\n\
         \x20 *      /control/ghl/…       GoHighLevel's API likewise\n",
    );
    page
}

async fn add_fault(State(world): State<Shared>, Json(fault): Json<Fault>) -> (StatusCode, Json<Fault>) {
    world.faults.add(fault.clone());
    (StatusCode::CREATED, Json(fault))
}

async fn list_faults(State(world): State<Shared>) -> Json<Vec<Fault>> {
    Json(world.faults.list())
}

async fn clear_faults(State(world): State<Shared>) -> StatusCode {
    world.faults.clear();
    StatusCode::NO_CONTENT
}

async fn ledger(State(world): State<Shared>, Query(filter): Query<LedgerFilter>) -> Json<Vec<LedgerEntry>> {
    Json(world.ledger.list(&filter))
}

async fn clear_ledger(State(world): State<Shared>) -> StatusCode {
    world.ledger.clear();
    StatusCode::NO_CONTENT
}

async fn state(State(world): State<Shared>) -> Json<crate::world::State> {
    Json(world.state())
}

async fn switch(State(world): State<Shared>, Json(patch): Json<SwitchesPatch>) -> Json<Switches> {
    Json(world.patch(patch))
}

async fn switches(State(world): State<Shared>) -> Json<Switches> {
    Json(world.switches())
}

async fn place(State(world): State<Shared>, Json(order): Json<PlaceCall>) -> Response {
    match calls::place(&world, order).await {
        Ok(placed) => (StatusCode::CREATED, Json(placed)).into_response(),
        Err(error) => unusable(&error.to_string()),
    }
}

/// A recording by sample or by size; exactly one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRecording {
    call_id: Option<u64>,
    sample: Option<String>,
    #[serde(default)]
    mono: bool,
    bytes: Option<u64>,
    #[serde(default)]
    not_ready_times: u32,
    #[serde(default)]
    gone: bool,
}

async fn add_recording(State(world): State<Shared>, Json(new): Json<NewRecording>) -> Response {
    let file = match (&new.sample, new.bytes) {
        (Some(name), None) => match samples::named(name) {
            Some(sample) if new.mono => RecordingFile::Bytes(sample.mono_wav()),
            Some(sample) => RecordingFile::Bytes(sample.wav.clone()),
            None => return unusable("no such sample call"),
        },
        (None, Some(bytes)) if (46..=u64::from(u32::MAX)).contains(&bytes) => RecordingFile::Generated { bytes },
        _ => return unusable("either a sample, or bytes from 46 to 4294967295"),
    };
    let call_id = new.call_id.unwrap_or_else(|| world.cloudtalk.next_call_id());
    let recording = Recording { file, not_ready_times: new.not_ready_times, gone: new.gone };
    let url = format!("{}{}", world.origin, world.cloudtalk.add_recording(call_id, recording));
    (StatusCode::CREATED, Json(json!({"call_id": call_id, "url": url}))).into_response()
}

#[derive(Deserialize)]
struct NewHook {
    vendor: Vendor,
    #[serde(flatten)]
    hook: Hook,
}

async fn hook_up(State(world): State<Shared>, Json(new): Json<NewHook>) -> StatusCode {
    world.hook_up(new.vendor, new.hook);
    StatusCode::NO_CONTENT
}

async fn list_samples() -> Json<Vec<Value>> {
    let about =
        |sample: &samples::Sample| json!({"name": sample.name, "title": sample.title, "seconds": sample.duration});
    Json(samples::all().iter().map(about).collect())
}

fn unusable(why: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": why}))).into_response()
}
