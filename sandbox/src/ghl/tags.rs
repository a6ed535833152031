//! Tags of a contact: additive, and in lower case whatever was sent.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::post,
};
use serde_json::{Value, json};

use super::{book::lower_case, no_contact, object, reply, unprocessable, webhooks};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/contacts/{id}/tags", post(add).delete(remove))
}

async fn add(State(world): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    change(&world, &id, &body, StatusCode::CREATED, |held, given| {
        let new: Vec<_> = given.into_iter().filter(|tag| !held.contains(tag)).collect();
        held.extend(new);
    })
}

async fn remove(State(world): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    change(&world, &id, &body, StatusCode::OK, |held, given| held.retain(|tag| !given.contains(tag)))
}

fn change(
    world: &Shared,
    id: &str,
    body: &[u8],
    status: StatusCode,
    how: impl FnOnce(&mut Vec<String>, Vec<String>),
) -> Response {
    let fields = match object(body, &["tags"], &[]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if !fields["tags"].as_array().is_some_and(|tags| tags.iter().all(Value::is_string)) {
        return unprocessable(&["each value in tags must be a string".to_owned(), "tags must be an array".to_owned()]);
    }
    let mut book = world.ghl.book();
    let Some(contact) = book.contact_mut(id) else { return no_contact(id) };
    let before = contact.tags.clone();
    how(&mut contact.tags, lower_case(&fields["tags"]));
    contact.date_updated = chrono::Utc::now();
    let contact = contact.clone();
    drop(book);
    if contact.tags != before {
        webhooks::tagged(world, &contact);
    }
    reply(status, json!({"tags": contact.tags}))
}
