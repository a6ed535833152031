//! The call list, `GET calls/index.json`, in CloudTalk's loose types: ids are strings, phones bare integers; and the detail
//! of one call on the analytics server, which alone knows its UUID, in strict ones.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::Shared;

/// One call as CloudTalk knows it.
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) uuid: String,
    pub(crate) incoming: bool,
    pub(crate) contact_id: u64,
    pub(crate) contact_name: String,
    pub(crate) contact_phone: u64,
    pub(crate) internal_phone: u64,
    pub(crate) agent_id: u64,
    pub(crate) agent_name: String,
    pub(crate) campaign: String,
    pub(crate) answered: bool,
    pub(crate) recorded: bool,
    pub(crate) talking: u64,
    pub(crate) waiting: u64,
    pub(crate) started_at: DateTime<Utc>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    call_id: Option<u64>,
    public_external: Option<String>,
    public_internal: Option<String>,
    contact_id: Option<u64>,
    user_id: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    date_from: Option<String>,
    date_to: Option<String>,
    limit: Option<usize>,
    page: Option<usize>,
}

/// Unknown names are ignored, as CloudTalk does.
pub(super) async fn index(State(world): State<Shared>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let limit = wanted.limit.unwrap_or(50).clamp(1, 1000);
    let page = wanted.page.unwrap_or(1).max(1);
    let calls = world.cloudtalk.calls();
    let found: Vec<&Call> = match wanted.call_id {
        Some(id) => calls.get(&id).filter(|call| wanted.takes(call)).into_iter().collect(),
        None => calls.values().rev().filter(|call| wanted.takes(call)).collect(),
    };
    let data: Vec<Value> = found.iter().skip((page - 1) * limit).take(limit).map(|call| call.row()).collect();
    let pages = found.len().div_ceil(limit);
    Json(json!({"responseData": {
        "itemsCount": found.len(), "pageCount": pages, "pageNumber": page, "limit": limit, "data": data,
    }}))
}

/// `GET calls/{id}` of the analytics server.
pub(super) async fn detail(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let wrong = |status: StatusCode, message: Value| {
        let body = json!({"statusCode": status.as_u16(), "message": message, "error": status.canonical_reason()});
        (status, Json(body)).into_response()
    };
    let Ok(id) = id.parse::<u64>() else {
        let message = "callId must be a number conforming to the specified constraints";
        return wrong(StatusCode::BAD_REQUEST, json!([message]));
    };
    match world.cloudtalk.calls().get(&id) {
        Some(call) => Json(call.detail()).into_response(),
        None => wrong(StatusCode::NOT_FOUND, format!("Call with id '{id}' doesn't exist on company '1'").into()),
    }
}

impl Wanted {
    fn takes(&self, call: &Call) -> bool {
        let phone =
            |wanted: &Option<String>, phone: u64| wanted.as_deref().is_none_or(|text| digits(text) == Some(phone));
        phone(&self.public_external, call.contact_phone)
            && phone(&self.public_internal, call.internal_phone)
            && self.contact_id.is_none_or(|id| id == call.contact_id)
            && self.user_id.is_none_or(|id| id == call.agent_id)
            && self.kind.as_deref().is_none_or(|kind| kind == call.kind())
            && self.status.as_deref().is_none_or(|status| (status == "answered") == call.answered)
            && moment(self.date_from.as_ref()).is_none_or(|from| call.started_at >= from)
            && moment(self.date_to.as_ref()).is_none_or(|to| call.started_at <= to)
    }
}

fn moment(text: Option<&String>) -> Option<DateTime<Utc>> {
    Some(NaiveDateTime::parse_from_str(text?, "%Y-%m-%d %H:%M:%S").ok()?.and_utc())
}

/// The digits of a phone number as one integer, the way CloudTalk writes it.
pub(crate) fn digits(phone: &str) -> Option<u64> {
    phone.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

impl Call {
    /// In the words of webhooks and rows.
    pub(crate) fn kind(&self) -> &'static str {
        if self.incoming { "incoming" } else { "outgoing" }
    }

    fn after(&self, seconds: u64) -> String {
        (self.started_at + std::time::Duration::from_secs(seconds)).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn detail(&self) -> Value {
        json!({
            "cdr_id": self.id, "uuid": self.uuid, "company_id": 1, "date": self.after(0),
            "contact": {
                "id": self.contact_id, "name": self.contact_name, "country": "IT",
                "number": format!("+{}", self.contact_phone),
            },
            "call_tags": [], "call_rating": null,
            "internal_number": {"id": 190_001, "name": "Sales", "number": format!("+{}", self.internal_phone)},
            "call_times": {
                "total_time": self.waiting + self.talking, "talking_time": self.talking, "wrap_up_time": 10,
                "ringing_time": self.waiting, "waiting_time": self.waiting, "holding_time": 0,
            },
            "direction": self.kind(), "type": "regular", "status": if self.answered { "answered" } else { "missed" },
            "call_steps": [], "notes": [], "recorded": self.recorded, "out_of_office": false,
        })
    }

    fn row(&self) -> Value {
        let (first, last) = self.agent_name.split_once(' ').unwrap_or((&self.agent_name, ""));
        let answered = self.answered.then(|| self.after(self.waiting));
        json!({
            "Cdr": {
                "id": self.id.to_string(), "billsec": self.talking.to_string(), "type": self.kind(),
                "country_code": "39", "public_external": self.contact_phone, "public_internal": self.internal_phone,
                "recorded": self.recorded, "is_voicemail": false, "fax_email": "0", "is_redirected": "0",
                "redirected_from": "", "transferred_from": null, "is_local": true,
                "user_id": self.agent_id.to_string(), "talking_time": self.talking.to_string(),
                "started_at": self.after(0), "answered_at": answered,
                "ended_at": self.after(self.waiting + self.talking), "waiting_time": self.waiting, "wrapup_time": 10,
                "recording_link": format!("https://my.cloudtalk.io/r/play/{}", self.id),
            },
            "Contact": {
                "id": self.contact_id.to_string(), "name": self.contact_name, "company": null, "type": "contact",
                "contact_numbers": [self.contact_phone], "contact_emails": [], "tags": [], "custom_fields": [],
                "external_urls": [], "favorite_agent": null,
            },
            "CallNumber": {
                "id": "190001", "internal_name": self.campaign, "caller_id_e164": self.internal_phone,
                "country_code": "39", "area_code": "02",
            },
            "BillingCall": {"price": "0.000000"},
            "Agent": {
                "id": self.agent_id.to_string(), "firstname": first, "lastname": last, "fullname": self.agent_name,
                "email": "agent@example.test", "status": "online", "default_outbound_number": self.internal_phone,
                "associated_numbers": [self.internal_phone], "groups": ["sales"],
            },
            "Notes": [], "Tags": [], "Ratings": [],
        })
    }
}
