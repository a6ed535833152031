//! Campaigns. A contact joins one by having one of its tags.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::{Value, json};

use super::{book::CloudtalkCampaign, invalid, object, paged};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/campaigns/index.json", get(index)).route("/campaigns/add.json", put(add))
}

async fn index(State(world): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Json<Value> {
    let mut book = world.cloudtalk.book();
    let campaigns: Vec<CloudtalkCampaign> = book.campaigns.values().cloned().collect();
    let rows = campaigns.into_iter().map(|campaign| {
        let tags = campaign.tags.iter().map(|tag| json!({"id": book.tag(tag).to_string(), "name": tag}));
        json!({
            "Campaign": {
                "id": campaign.id.to_string(), "name": campaign.name, "status": campaign.status,
                "has_schedule_date": false, "answer_wait_time": "45", "after_call_dialing_auto": false,
                "after_call_time": "5", "is_recording": true, "is_predictive": false, "attempts": "1",
                "attempts_interval": "18",
            },
            "Button": [], "ContactsTag": tags.collect::<Vec<_>>(), "Group": [], "Agent": [],
        })
    });
    paged(rows.collect(), &wanted)
}

/// `ContactsTag` holds ids; names, as a person would choose them, are taken as well.
async fn add(State(world): State<Shared>, body: Bytes) -> Response {
    let fields = match object(&body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let Some(name) = fields.get("name").and_then(Value::as_str) else {
        return invalid("name", "Please supply a valid campaign name.");
    };
    let status = fields.get("status").and_then(Value::as_str).unwrap_or("inactive");
    let mut book = world.cloudtalk.book();
    let given = fields.get("ContactsTag").and_then(Value::as_array).into_iter().flatten();
    let tags = given.filter_map(|tag| {
        let known = || book.tag_named(usize::try_from(tag["id"].as_u64()?).ok()?);
        tag["name"].as_str().or_else(known).map(str::to_owned)
    });
    let tags: Vec<String> = tags.collect();
    let id = book.campaigns.len() as u64 + 1;
    book.campaigns.insert(id, CloudtalkCampaign { id, name: name.to_owned(), status: status.to_owned(), tags });
    (StatusCode::CREATED, Json(json!({"responseData": {"status": 201, "data": {"id": id.to_string()}}})))
        .into_response()
}
