//! Contacts: create, read, write, upsert. Finding them is in `search`.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use super::{
    bad_request,
    book::{Book, Contact},
    no_contact, object, reply, text, unprocessable, webhooks,
};
use crate::world::Shared;

/// What a change of a contact may hold; anything else is refused with 422.
const CHANGEABLE: [&str; 20] = [
    "firstName",
    "lastName",
    "name",
    "email",
    "phone",
    "address1",
    "city",
    "state",
    "postalCode",
    "website",
    "timezone",
    "dnd",
    "dndSettings",
    "inboundDndSettings",
    "tags",
    "customFields",
    "source",
    "dateOfBirth",
    "country",
    "assignedTo",
];

/// What its creation may hold besides.
const CREATABLE: [&str; 2] = ["gender", "companyName"];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/contacts/", post(create))
        .route("/contacts", post(create))
        .route("/contacts/upsert", post(upsert))
        .route("/contacts/{id}", get(read).put(change))
}

async fn create(State(world): State<Shared>, body: Bytes) -> Response {
    let (location, fields) = match creation(&body) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let mut book = world.ghl.book();
    if let Some(refused) = wrong_fields(&mut book, &location, &fields) {
        return refused;
    }
    let allowed = world.switches().ghl_duplicates;
    if let Some((contact, by)) = existing(&book, &location, &fields).filter(|_| !allowed) {
        return duplicate(contact, by);
    }
    let contact = book.create(&location, &fields).clone();
    drop(book);
    webhooks::created(&world, &contact);
    reply(StatusCode::CREATED, json!({"contact": contact}))
}

async fn upsert(State(world): State<Shared>, body: Bytes) -> Response {
    let (location, fields) = match creation(&body) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let mut book = world.ghl.book();
    if let Some(refused) = wrong_fields(&mut book, &location, &fields) {
        return refused;
    }
    let found = existing(&book, &location, &fields).map(|(contact, _)| contact.id.clone());
    let new = found.is_none();
    let contact = match &found {
        Some(id) => book.change(id, &fields).cloned(),
        None => Some(book.create(&location, &fields).clone()),
    };
    drop(book);
    if let Some(contact) = &contact {
        if new {
            webhooks::created(&world, contact);
        } else {
            webhooks::changed(&world, contact);
        }
    }
    reply(StatusCode::OK, json!({"new": new, "contact": contact}))
}

async fn read(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    match world.ghl.book().contact(&id) {
        Some(contact) => reply(StatusCode::OK, json!({"contact": contact})),
        None => no_contact(&id),
    }
}

async fn change(State(world): State<Shared>, Path(id): Path<String>, body: Bytes) -> Response {
    let mut book = world.ghl.book();
    let Some(location) = book.contact(&id).map(|contact| contact.location_id.clone()) else {
        return no_contact(&id);
    };
    let fields = match object(&body, &[], &CHANGEABLE) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    if let Some(refused) = wrong_fields(&mut book, &location, &fields) {
        return refused;
    }
    match existing(&book, &location, &fields) {
        Some((other, by)) if other.id != id => duplicate(other, by),
        _ => {
            let contact = book.change(&id, &fields).cloned();
            drop(book);
            if let Some(contact) = &contact {
                webhooks::changed(&world, contact);
            }
            // The misspelling is the vendor's.
            reply(StatusCode::OK, json!({"succeded": true, "contact": contact}))
        }
    }
}

#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn creation(body: &[u8]) -> Result<(String, Map<String, Value>), Response> {
    let mut fields = object(body, &["locationId"], &[&CHANGEABLE[..], &CREATABLE].concat())?;
    match fields.remove("locationId") {
        Some(Value::String(location)) => Ok((location, fields)),
        _ => Err(unprocessable(&["locationId must be a string".to_owned()])),
    }
}

/// Whom these fields describe already: e-mail first, then phone.
fn existing<'a>(book: &'a Book, location: &str, fields: &Map<String, Value>) -> Option<(&'a Contact, &'static str)> {
    let email = text(fields, "email").and_then(|email| book.by_email(location, email));
    let by_email = email.map(|contact| (contact, "email"));
    by_email.or_else(|| Some((book.by_phone(location, text(fields, "phone")?)?, "phone")))
}

fn duplicate(contact: &Contact, by: &str) -> Response {
    let meta = json!({"contactId": contact.id, "contactName": contact.contact_name, "matchingField": by});
    let body = json!({
        "statusCode": 400,
        "message": "This location does not allow duplicated contacts.",
        "meta": meta,
    });
    reply(StatusCode::BAD_REQUEST, body)
}

/// Custom fields need an id that exists in the location.
fn wrong_fields(book: &mut Book, location: &str, fields: &Map<String, Value>) -> Option<Response> {
    let given = match fields.get("customFields")? {
        Value::Array(given) => given,
        _ => return Some(unprocessable(&["customFields must be an array".to_owned()])),
    };
    for (at, field) in given.iter().enumerate() {
        let Some(id) = field.get("id").and_then(Value::as_str) else {
            return Some(unprocessable(&[format!("customFields.{at}.id should not be empty")]));
        };
        if !book.fields(location).iter().any(|known| known.id == id) {
            return Some(bad_request(&format!("Invalid field {id}")));
        }
    }
    None
}
