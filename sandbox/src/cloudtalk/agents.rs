//! Agents, and calls that are started for them. What an agent does is set by control alone: `POST agents/set.json`.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    book::{CloudtalkAgent, DialledCall},
    digits, envelope, invalid, object, paged, refusal,
};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/agents/index.json", get(index)).route("/calls/create.json", post(dial))
}

pub(super) fn control() -> Router<Shared> {
    Router::new().route("/agents/set.json", post(set))
}

async fn index(State(world): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Json<Value> {
    let book = world.cloudtalk.book();
    let only = wanted.get("id").and_then(|id| id.parse::<u64>().ok());
    let agents = book.agents.values().filter(|agent| only.is_none_or(|id| id == agent.id));
    paged(agents.map(row).collect(), &wanted)
}

fn row(agent: &CloudtalkAgent) -> Value {
    let (first, last) = agent.name.split_once(' ').unwrap_or((&agent.name, ""));
    json!({"Agent": {
        "id": agent.id.to_string(), "name": "123456", "firstname": first, "lastname": last,
        "email": format!("agent{}@example.test", agent.id), "is_daily_limit_ok": true, "status_outbound": agent.outbound,
        "availability_status": agent.availability, "extension": "1001", "call_number_id": 36,
        "default_number": "+40312000001", "associated_numbers": ["+40312000001"],
    }})
}

/// The agent's phone rings, and nothing says which call that becomes.
async fn dial(State(world): State<Shared>, body: Bytes) -> Response {
    let fields = match object(&body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let number = |name: &str| {
        let value = fields.get(name)?;
        value.as_u64().or_else(|| digits(value.as_str()?))
    };
    let Some(callee) = number("callee_number") else { return invalid("callee_number", "This field is required.") };
    let Some(agent_id) = number("agent_id") else { return invalid("agent_id", "This field is required.") };
    let mut book = world.cloudtalk.book();
    let Some(agent) = book.agents.get_mut(&agent_id) else { return refusal(StatusCode::NOT_FOUND) };
    match agent.availability.as_str() {
        "online" => "calling".clone_into(&mut agent.availability),
        "calling" => return refusal(StatusCode::CONFLICT),
        _ => return refusal(StatusCode::FORBIDDEN),
    }
    book.dialled.push(DialledCall { agent_id, callee });
    envelope(&json!({"status": 200}))
}

async fn set(State(world): State<Shared>, Json(agent): Json<CloudtalkAgent>) -> StatusCode {
    world.cloudtalk.set_agent(agent);
    StatusCode::NO_CONTENT
}
