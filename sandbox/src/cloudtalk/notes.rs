//! Notes of a contact. Writing one is not idempotent.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    book::{CloudtalkContact, CloudtalkNote, moment},
    contacts::{held, id},
    envelope, invalid, object, paged, refusal, webhooks,
};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/notes/index.json", get(index))
        .route("/notes/add/{file}", put(add))
        .route("/notes/edit/{file}", post(edit))
}

async fn index(State(world): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Json<Value> {
    let book = world.cloudtalk.book();
    let of = wanted.get("contact_id").and_then(|id| id.parse::<u64>().ok());
    let wanted_contact = |contact: &&CloudtalkContact| of.is_none_or(|id| id == contact.id);
    let rows = book.contacts.values().filter(wanted_contact).flat_map(|contact| {
        contact.notes.iter().map(|note| {
            json!({"ContactNote": {
                "id": note.id.to_string(), "contact_id": contact.id.to_string(),
                "user_id": note.agent.map(|id| id.to_string()), "note": note.note, "created": moment(note.created),
            }})
        })
    });
    paged(rows.collect(), &wanted)
}

async fn add(State(world): State<Shared>, Path(file): Path<String>, body: Bytes) -> Response {
    let (text, agent) = match read(&body) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let mut book = world.cloudtalk.book();
    let Some(id) = held(&book, &file) else { return refusal(StatusCode::NOT_FOUND) };
    let note = CloudtalkNote { id: book.next_note(), agent, note: text, created: Utc::now() };
    let contact = book.contacts.get_mut(&id).map(|contact| {
        contact.notes.push(note.clone());
        contact.clone()
    });
    drop(book);
    if let Some(contact) = contact {
        webhooks::noted(&world, &contact, &note);
    }
    let answer = json!({"responseData": {"status": 201, "data": {"id": note.id.to_string()}}});
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn edit(State(world): State<Shared>, Path(file): Path<String>, body: Bytes) -> Response {
    let (text, agent) = match read(&body) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let mut book = world.cloudtalk.book();
    let mut found = None;
    for contact in book.contacts.values_mut() {
        if let Some(note) = contact.notes.iter_mut().find(|note| Some(note.id) == id(&file)) {
            note.note = text;
            note.agent = agent.or(note.agent);
            found = Some((note.clone(), contact.clone()));
            break;
        }
    }
    drop(book);
    let Some((note, contact)) = found else { return refusal(StatusCode::NOT_FOUND) };
    webhooks::noted(&world, &contact, &note);
    envelope(&json!({"status": 200}))
}

#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn read(body: &[u8]) -> Result<(String, Option<u64>), Response> {
    let fields = object(body)?;
    match fields.get("note").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(text) => Ok((text.to_owned(), fields.get("user_id").and_then(Value::as_u64))),
        None => Err(invalid("note", "This field is required.")),
    }
}
