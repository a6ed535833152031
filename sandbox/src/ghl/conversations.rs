//! Conversations: one per contact, and the calls that are logged in it.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    bad_request,
    book::{Book, Conversation, Message, phone},
    new_id, no_contact, object, reply, text, unprocessable,
};
use crate::world::Shared;

const STATUSES: [&str; 8] =
    ["pending", "completed", "answered", "busy", "no-answer", "failed", "canceled", "voicemail"];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/conversations/search", get(search))
        .route("/conversations/", post(create))
        .route("/conversations", post(create))
        .route("/conversations/messages/inbound", post(inbound))
        .route("/conversations/messages/outbound", post(outbound))
        .route("/conversations/{id}/messages", get(messages))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    location_id: Option<String>,
    contact_id: Option<String>,
    limit: Option<usize>,
}

async fn search(State(world): State<Shared>, Query(wanted): Query<Wanted>) -> Response {
    let Some(location) = wanted.location_id else {
        return unprocessable(&["locationId should not be empty".to_owned()]);
    };
    let book = world.ghl.book();
    let found: Vec<&Conversation> = match &wanted.contact_id {
        Some(contact) => {
            let at = book.conversation_by_contact.get(contact);
            at.map(|at| &book.conversations[*at]).into_iter().filter(|held| held.location_id == location).collect()
        }
        None => book.conversations.iter().filter(|held| held.location_id == location).collect(),
    };
    let shown: Vec<Value> = found.iter().take(wanted.limit.unwrap_or(20)).map(|held| row(held)).collect();
    reply(StatusCode::OK, json!({"conversations": shown, "total": found.len()}))
}

fn row(held: &Conversation) -> Value {
    json!({
        "id": held.id, "contactId": held.contact_id, "locationId": held.location_id, "type": "TYPE_PHONE",
        "lastMessageType": held.messages.last().map(|_| "TYPE_CALL"), "unreadCount": 0,
    })
}

async fn create(State(world): State<Shared>, body: Bytes) -> Response {
    let fields = match object(&body, &["locationId", "contactId"], &[]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let contact = text(&fields, "contactId").unwrap_or_default().to_owned();
    let mut book = world.ghl.book();
    if book.contact(&contact).is_none() {
        return no_contact(&contact);
    }
    if book.conversation_by_contact.contains_key(&contact) {
        return bad_request("Conversation already exists");
    }
    let conversation = Conversation {
        id: new_id(),
        contact_id: contact.clone(),
        location_id: text(&fields, "locationId").unwrap_or_default().to_owned(),
        messages: Vec::new(),
    };
    let at = book.conversations.len();
    let answer = reply(StatusCode::CREATED, json!({"success": true, "conversation": row(&conversation)}));
    book.conversation_by_id.insert(conversation.id.clone(), at);
    book.conversation_by_contact.insert(contact, at);
    book.conversations.push(conversation);
    answer
}

async fn inbound(State(world): State<Shared>, body: Bytes) -> Response {
    log(&world, &body, &["type", "conversationId", "contactId"])
}

async fn outbound(State(world): State<Shared>, body: Bytes) -> Response {
    log(&world, &body, &["type", "conversationId"])
}

/// `direction` in the body decides, and is outbound by default on both routes.
fn log(world: &Shared, body: &[u8], required: &[&str]) -> Response {
    let allowed = [
        "contactId",
        "conversationProviderId",
        "altId",
        "date",
        "direction",
        "call",
        "attachments",
        "message",
        "html",
        "subject",
        "emailFrom",
        "emailTo",
        "emailMessageId",
    ];
    let fields = match object(body, required, &allowed) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if text(&fields, "conversationProviderId").is_none_or(str::is_empty) {
        return bad_request("No conversationProviderId passed in body");
    }
    let direction = text(&fields, "direction").unwrap_or("outbound").to_owned();
    let mut book = world.ghl.book();
    let conversation = text(&fields, "conversationId").and_then(|id| book.conversation_by_id.get(id)).copied();
    let Some(at) = conversation else { return bad_request("Conversation not found") };
    if let Some(refused) = wrong_call(&book, &book.conversations[at], &fields, &direction) {
        return refused;
    }
    let message = Message { id: new_id(), direction, fields: without(&fields, "direction") };
    let held = &mut book.conversations[at];
    let answer = json!({
        "success": true, "conversationId": held.id, "messageId": message.id, "contactId": held.contact_id,
        "message": "Message added successfully", "dateAdded": chrono::Utc::now(),
    });
    held.messages.push(message);
    reply(StatusCode::OK, answer)
}

fn without(fields: &Map<String, Value>, name: &str) -> Map<String, Value> {
    let mut kept = fields.clone();
    kept.remove(name);
    kept
}

/// The contact's end of the call must be the contact's phone.
fn wrong_call(book: &Book, held: &Conversation, fields: &Map<String, Value>, direction: &str) -> Option<Response> {
    let call = fields.get("call")?.as_object()?;
    if let Some(status) = text(call, "status").filter(|status| !STATUSES.contains(status)) {
        return Some(unprocessable(&[format!("call.status must not be {status}")]));
    }
    let end = if direction == "inbound" { "from" } else { "to" };
    let theirs = book.contact(&held.contact_id)?.phone.clone()?;
    let given = text(call, end).and_then(phone);
    (given.as_ref() != Some(&theirs)).then(|| bad_request(&format!("call.{end} is not the phone of the contact")))
}

async fn messages(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let book = world.ghl.book();
    let Some(at) = book.conversation_by_id.get(&id) else { return bad_request("Conversation not found") };
    let row = |message: &Message| {
        json!({
            "id": message.id, "direction": message.direction, "messageType": "TYPE_CALL",
            "altId": message.fields.get("altId"), "meta": {"callStatus": message.fields.get("call").map(|call| &call["status"])},
        })
    };
    let list: Vec<Value> = book.conversations[*at].messages.iter().map(row).collect();
    reply(StatusCode::OK, json!({"messages": {"messages": list, "nextPage": false}}))
}
