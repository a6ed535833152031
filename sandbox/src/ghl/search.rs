//! Finding contacts: the duplicate search, and the advanced one with filters.

use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    bad_request,
    book::{Book, Contact, phone},
    object, reply, text, unprocessable,
};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/contacts/search/duplicate", get(duplicate)).route("/contacts/search", post(search))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    location_id: Option<String>,
    number: Option<String>,
    email: Option<String>,
}

async fn duplicate(State(world): State<Shared>, Query(wanted): Query<Wanted>) -> Response {
    let Some(location) = wanted.location_id else {
        return unprocessable(&["locationId should not be empty".to_owned()]);
    };
    if wanted.number.is_none() && wanted.email.is_none() {
        return bad_request("Either number or email is required");
    }
    let book = world.ghl.book();
    let by_email = wanted.email.and_then(|email| book.by_email(&location, &email));
    let contact = by_email.or_else(|| book.by_phone(&location, &wanted.number?));
    reply(StatusCode::OK, json!({"contact": contact}))
}

async fn search(State(world): State<Shared>, body: Bytes) -> Response {
    let allowed = ["page", "filters", "query", "sort", "searchAfter"];
    let fields = match object(&body, &["locationId", "pageLimit"], &allowed) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let count = |name: &str| fields.get(name).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    let limit = count("pageLimit").unwrap_or(20).clamp(1, 500);
    let page = count("page").unwrap_or(1).max(1);
    if page.saturating_mul(limit) > 10_000 {
        return bad_request("Use searchAfter beyond 10000 records");
    }
    let filters: &[Value] = fields.get("filters").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let location = text(&fields, "locationId").unwrap_or_default();
    let query = text(&fields, "query").unwrap_or_default().to_lowercase();
    let book = world.ghl.book();
    let found: Vec<&Contact> = candidates(&book, location, filters)
        .filter(|contact| contact.location_id == location)
        .filter(|contact| filters.iter().all(|filter| takes(contact, filter)))
        .filter(|contact| query.is_empty() || said(contact, &query))
        .collect();
    let contacts: Vec<&Contact> = found.iter().skip((page - 1) * limit).take(limit).copied().collect();
    reply(StatusCode::OK, json!({"contacts": contacts, "total": found.len()}))
}

/// The one contact that can match when the filters ask for a phone, else all of them.
fn candidates<'a>(book: &'a Book, location: &str, filters: &[Value]) -> Box<dyn Iterator<Item = &'a Contact> + 'a> {
    let phone_asked = filters.iter().find(|filter| filter["field"] == "phone" && filter["operator"] == "eq");
    match phone_asked.and_then(|filter| filter["value"].as_str()) {
        Some(number) => Box::new(book.by_phone(location, number).into_iter()),
        None => Box::new(book.all().iter()),
    }
}

fn takes(contact: &Contact, filter: &Value) -> bool {
    if let Some(parts) = filter["filters"].as_array() {
        return match filter["group"].as_str() {
            Some("OR") => parts.iter().any(|part| takes(contact, part)),
            _ => parts.iter().all(|part| takes(contact, part)),
        };
    }
    let field = filter["field"].as_str().unwrap_or_default();
    let wanted = filter["value"].as_str().unwrap_or_default().to_lowercase();
    let held = match field {
        "phone" => contact.phone.clone(),
        "email" => contact.email.clone(),
        "tags" => return contact.tags.contains(&wanted),
        other => contact.other.get(other).and_then(Value::as_str).map(str::to_lowercase),
    };
    let held = held.unwrap_or_default();
    match filter["operator"].as_str() {
        Some("eq") if field == "phone" => Some(held) == phone(&wanted),
        Some("eq") => held == wanted,
        Some("contains") => held.contains(&wanted),
        Some("exists") => !held.is_empty(),
        Some("not_exists") => held.is_empty(),
        _ => false,
    }
}

fn said(contact: &Contact, query: &str) -> bool {
    let texts = [&contact.contact_name, &contact.email, &contact.phone];
    texts.into_iter().flatten().any(|text| text.contains(query))
}
