//! Locations and their custom fields.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::{bad_request, book::CustomField, new_id, object, reply, text};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/locations/{location}", get(location))
        .route("/locations/{location}/customFields", get(list).post(create))
}

#[derive(Deserialize)]
struct Wanted {
    model: Option<String>,
}

/// Any location exists.
async fn location(Path(location): Path<String>) -> Response {
    let about = json!({
        "id": location, "name": "Sandbox", "country": "IT", "timezone": "Europe/Rome",
        "settings": {"allowDuplicateContact": false},
    });
    reply(StatusCode::OK, json!({"location": about}))
}

async fn list(State(world): State<Shared>, Path(location): Path<String>, Query(wanted): Query<Wanted>) -> Response {
    let mut book = world.ghl.book();
    let model = wanted.model.as_deref().filter(|model| *model != "all");
    let of_model = |field: &&CustomField| model.is_none_or(|model| field.model == model);
    let fields: Vec<&CustomField> = book.fields(&location).iter().filter(of_model).collect();
    reply(StatusCode::OK, json!({"customFields": fields}))
}

async fn create(State(world): State<Shared>, Path(location): Path<String>, body: Bytes) -> Response {
    let optional = [
        "placeholder",
        "acceptedFormat",
        "isMultipleFile",
        "maxNumberOfFiles",
        "textBoxListOptions",
        "position",
        "model",
        "fieldKey",
    ];
    let given = match object(&body, &["name", "dataType"], &optional) {
        Ok(given) => given,
        Err(refused) => return refused,
    };
    let name = text(&given, "name").unwrap_or_default().to_owned();
    let model = text(&given, "model").unwrap_or("contact").to_owned();
    let derived = || format!("{model}.{}", slug(&name));
    let field_key = text(&given, "fieldKey").map_or_else(derived, str::to_owned);
    let mut book = world.ghl.book();
    let fields = book.fields(&location);
    if fields.iter().any(|field| field.field_key == field_key) {
        return bad_request(&format!("{name} already exists"));
    }
    let field = CustomField {
        id: new_id(),
        name,
        field_key,
        data_type: text(&given, "dataType").unwrap_or("TEXT").to_owned(),
        model,
        position: fields.len() * 50,
        location_id: location,
    };
    let answer = reply(StatusCode::CREATED, json!({"customField": field}));
    fields.push(field);
    answer
}

fn slug(name: &str) -> String {
    let letter = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(letter).collect()
}
