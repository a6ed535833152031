//! Calls: `GET Calls.json`, `GET Calls/{sid}.json`.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{ACCOUNT, Store, date, refusal};
use crate::{samples::Sample, world::Shared};

/// One call as Twilio knows it.
pub(crate) struct Call {
    pub(super) sid: String,
    pub(super) status: &'static str,
    pub(super) inbound: bool,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) seconds: u64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) sample: &'static Sample,
}

impl Call {
    /// The call of a sample, talked to its end.
    pub(super) fn of(store: &Store, sample: &'static Sample, phone: Option<&str>, number: Option<u64>) -> Self {
        let contact = phone.unwrap_or(&sample.contact.phone).to_owned();
        let inbound = sample.direction == "incoming";
        let ours = sample.internal_number.clone();
        let (from, to) = if inbound { (contact, ours) } else { (ours, contact) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples last seconds")]
        let seconds = sample.duration.ceil() as u64;
        Self {
            sid: format!("CA{:032x}", number.unwrap_or_else(|| store.next())),
            status: "completed",
            inbound,
            from,
            to,
            seconds,
            started_at: Utc::now() - std::time::Duration::from_secs(seconds),
            sample,
        }
    }

    fn over(&self) -> bool {
        !matches!(self.status, "queued" | "ringing" | "in-progress")
    }

    fn resource(&self) -> Value {
        let ended = self.over().then(|| date(self.started_at + std::time::Duration::from_secs(self.seconds)));
        json!({
            "sid": self.sid, "account_sid": ACCOUNT, "parent_call_sid": null, "from": self.from, "to": self.to,
            "direction": if self.inbound { "inbound" } else { "outbound-api" }, "status": self.status,
            "start_time": date(self.started_at), "end_time": ended, "answered_by": null, "price": null,
            "duration": self.over().then(|| self.seconds.to_string()), "api_version": "2010-04-01",
            "uri": format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{}.json", self.sid),
        })
    }
}

pub(super) async fn list(State(world): State<Shared>) -> Json<Value> {
    let calls = world.twilio.calls();
    let calls: Vec<_> = calls.values().rev().map(Call::resource).collect();
    Json(json!({"calls": calls, "page": 0, "page_size": 50, "next_page_uri": null}))
}

pub(super) async fn show(State(world): State<Shared>, Path((_, file)): Path<(String, String)>) -> Response {
    let calls = world.twilio.calls();
    match file.strip_suffix(".json").and_then(|sid| calls.get(sid)) {
        Some(call) => Json(call.resource()).into_response(),
        None => refusal(StatusCode::NOT_FOUND),
    }
}
