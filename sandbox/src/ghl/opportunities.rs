//! Opportunities, in one pipeline of three stages.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{error, new_id, no_contact, object, reply, text, unprocessable, webhooks};
use crate::world::Shared;

/// The name of the pipeline.
pub(super) const PIPELINE: &str = "Sales";
const PIPELINE_ID: &str = "PIPE0000000000000001";
const STAGES: [(&str, &str); 3] = [("stage-new", "New"), ("stage-qualified", "Qualified"), ("stage-closed", "Closed")];
const STATUSES: [&str; 4] = ["open", "won", "lost", "abandoned"];

/// An opportunity as the API gives it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opportunity {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) location_id: String,
    pub(super) contact_id: String,
    pub(super) pipeline_id: String,
    pub(super) pipeline_stage_id: String,
    pub(super) status: String,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/opportunities/", post(create))
        .route("/opportunities/pipelines", get(pipelines))
        .route("/opportunities/{id}", get(read).put(change))
}

async fn pipelines() -> Response {
    let stages: Vec<_> = STAGES.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
    reply(StatusCode::OK, json!({"pipelines": [{"id": PIPELINE_ID, "name": PIPELINE, "stages": stages}]}))
}

async fn create(State(world): State<Shared>, body: Bytes) -> Response {
    let required = ["locationId", "contactId", "pipelineId", "name", "status"];
    let fields = match object(&body, &required, &["pipelineStageId"]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let given = |name: &str| text(&fields, name).unwrap_or_default().to_owned();
    let mut book = world.ghl.book();
    if book.contact(&given("contactId")).is_none() {
        return no_contact(&given("contactId"));
    }
    let mut deal = Opportunity {
        id: new_id(),
        name: given("name"),
        location_id: given("locationId"),
        contact_id: given("contactId"),
        pipeline_id: PIPELINE_ID.to_owned(),
        pipeline_stage_id: STAGES[0].0.to_owned(),
        status: STATUSES[0].to_owned(),
    };
    if let Some(refused) = write(&mut deal, &fields) {
        return refused;
    }
    let answer = reply(StatusCode::CREATED, json!({"opportunity": deal}));
    book.opportunities.insert(deal.id.clone(), deal);
    answer
}

async fn read(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    match world.ghl.book().opportunities.get(&id) {
        Some(deal) => reply(StatusCode::OK, json!({"opportunity": deal})),
        None => missing(&id),
    }
}

async fn change(State(world): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    let fields = match object(&body, &[], &["name", "status", "pipelineId", "pipelineStageId"]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let mut book = world.ghl.book();
    let Some(deal) = book.opportunities.get_mut(&id) else { return missing(&id) };
    let before = deal.clone();
    if let Some(refused) = write(deal, &fields) {
        return refused;
    }
    let deal = deal.clone();
    let contact = book.contact(&deal.contact_id).cloned();
    drop(book);
    if let Some(contact) = contact {
        let stage = STAGES.iter().find(|(id, _)| *id == deal.pipeline_stage_id).map_or("", |(_, name)| *name);
        if deal.pipeline_stage_id != before.pipeline_stage_id {
            webhooks::moved(&world, &contact, &deal, stage);
        }
        if deal.status != before.status {
            webhooks::ended(&world, &contact, &deal, stage);
        }
    }
    reply(StatusCode::OK, json!({"opportunity": deal}))
}

fn write(deal: &mut Opportunity, fields: &Map<String, Value>) -> Option<Response> {
    if let Some(stage) = text(fields, "pipelineStageId") {
        if !STAGES.iter().any(|(id, _)| *id == stage) {
            return Some(unprocessable(&["pipelineStageId is unknown".to_owned()]));
        }
        stage.clone_into(&mut deal.pipeline_stage_id);
    }
    if let Some(status) = text(fields, "status") {
        if !STATUSES.contains(&status) {
            return Some(unprocessable(&["status must be one of open, won, lost, abandoned".to_owned()]));
        }
        status.clone_into(&mut deal.status);
    }
    if let Some(name) = text(fields, "name") {
        name.clone_into(&mut deal.name);
    }
    None
}

fn missing(id: &str) -> Response {
    error(StatusCode::NOT_FOUND, &format!("Opportunity with id {id} not found").into())
}
