//! Notes of a contact. Creating one is not idempotent: the same body twice makes two notes.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::get,
};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{book::Note, error, new_id, no_contact, object, reply, text, unprocessable, webhooks};
use crate::world::Shared;

const OPTIONAL: [&str; 4] = ["userId", "title", "color", "pinned"];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/contacts/{id}/notes", get(list).post(create))
        .route("/contacts/{id}/notes/{note}", get(read).put(change).delete(remove))
}

async fn list(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let book = world.ghl.book();
    if book.contact(&id).is_none() {
        return no_contact(&id);
    }
    let notes = book.notes.get(&id).map_or(&[][..], Vec::as_slice);
    reply(StatusCode::OK, json!({"notes": notes}))
}

async fn create(State(world): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    let fields = match body_of(&body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let mut book = world.ghl.book();
    if book.contact(&id).is_none() {
        return no_contact(&id);
    }
    let mut note = Note {
        id: new_id(),
        body: String::new(),
        user_id: None,
        date_added: Utc::now(),
        contact_id: id.clone(),
        title: None,
        color: None,
        pinned: false,
    };
    write(&mut note, &fields);
    book.notes.entry(id.clone()).or_default().push(note.clone());
    let contact = book.contact(&id).cloned();
    drop(book);
    if let Some(contact) = contact {
        webhooks::noted(&world, &contact, &note);
    }
    reply(StatusCode::CREATED, json!({"note": note}))
}

async fn read(State(world): State<Shared>, Path((id, note)): Path<(String, String)>) -> Response {
    with_note(&world, &id, &note, |notes, at| json!({"note": notes[at]}))
}

async fn change(State(world): State<Shared>, Path((id, note)): Path<(String, String)>, body: Bytes) -> Response {
    let fields = match body_of(&body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    with_note(&world, &id, &note, |notes, at| {
        write(&mut notes[at], &fields);
        json!({"note": notes[at]})
    })
}

async fn remove(State(world): State<Shared>, Path((id, note)): Path<(String, String)>) -> Response {
    with_note(&world, &id, &note, |notes, at| {
        notes.remove(at);
        json!({"succeded": true})
    })
}

fn with_note(world: &Shared, id: &str, note: &str, act: impl FnOnce(&mut Vec<Note>, usize) -> Value) -> Response {
    let mut book = world.ghl.book();
    if book.contact(id).is_none() {
        return no_contact(id);
    }
    let notes = book.notes.entry(id.to_owned()).or_default();
    match notes.iter().position(|held| held.id == note) {
        Some(at) => reply(StatusCode::OK, act(notes, at)),
        None => error(StatusCode::NOT_FOUND, &format!("Note with id {note} not found").into()),
    }
}

#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn body_of(body: &[u8]) -> Result<Map<String, Value>, Response> {
    let fields = object(body, &["body"], &OPTIONAL)?;
    match &fields["body"] {
        Value::String(_) => Ok(fields),
        _ => Err(unprocessable(&["body must be a string".to_owned()])),
    }
}

fn write(note: &mut Note, fields: &Map<String, Value>) {
    let given = |name: &str| text(fields, name).map(str::to_owned);
    note.body = given("body").unwrap_or_default();
    note.user_id = given("userId").or(note.user_id.take());
    note.title = given("title").or(note.title.take());
    note.color = given("color").or(note.color.take());
    note.pinned = fields.get("pinned").and_then(Value::as_bool).unwrap_or(note.pinned);
}
