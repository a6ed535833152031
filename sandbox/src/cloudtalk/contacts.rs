//! Contacts and their tags: PUT creates, POST changes, and a set that is sent replaces the one that was there.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{
    book::{Book, CloudtalkContact, moment},
    digits, envelope, invalid, object, paged, refusal, webhooks,
};
use crate::world::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/contacts/index.json", get(index))
        .route("/contacts/add.json", put(add))
        .route("/contacts/show/{file}", get(show))
        .route("/contacts/edit/{file}", post(edit))
        .route("/contacts/delete/{file}", delete(remove))
        .route("/contacts/addTags/{file}", put(add_tags))
        .route("/contacts/removeTags/{file}", delete(remove_tags))
        .route("/tags/index.json", get(tags))
}

/// A row shows but one number and one address of a contact, and no tags.
async fn index(State(world): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Json<Value> {
    let keyword = wanted.get("keyword").map(|text| text.trim_start_matches('+').to_lowercase());
    let book = world.cloudtalk.book();
    let fits = |contact: &&CloudtalkContact| {
        let Some(keyword) = &keyword else { return true };
        let words = [&contact.name, &contact.company].into_iter().chain(&contact.emails);
        words
            .map(|word| word.to_lowercase())
            .chain(contact.phones.iter().map(u64::to_string))
            .any(|w| w.contains(keyword))
    };
    let rows = book.contacts.values().filter(fits).map(|contact| {
        json!({
            "Contact": {"id": contact.id.to_string(), "name": contact.name, "company": contact.company},
            "ContactNumber": contact.phones.first().map(|phone| json!({"public_number": phone})),
            "ContactEmail": contact.emails.first().map(|email| json!({"email": email})),
        })
    });
    paged(rows.collect(), &wanted)
}

async fn show(State(world): State<Shared>, Path(file): Path<String>) -> Response {
    let book = world.cloudtalk.book();
    let Some(id) = held(&book, &file) else { return refusal(StatusCode::NOT_FOUND) };
    let contact = &book.contacts[&id];
    let all = |name: &str, values: &[String]| values.iter().map(|value| json!({name: value})).collect::<Vec<_>>();
    Json(json!({"responseData": {
        "Contact": {
            "id": contact.id.to_string(), "name": contact.name, "title": "", "company": contact.company, "industry": "",
            "website": "", "address": "", "city": "", "zip": "", "state": "", "country_id": "1",
            "favorite_agent": null, "created": moment(contact.created), "modified": moment(contact.modified),
        },
        "ExternalUrl": contact.links.iter().map(|(name, url)| json!({"name": name, "url": url})).collect::<Vec<_>>(),
        "ContactEmail": all("email", &contact.emails),
        "ContactNumber": contact.phones.iter().map(|phone| json!({"public_number": phone})).collect::<Vec<_>>(),
        "ContactsTag": all("name", &contact.tags),
    }}))
    .into_response()
}

async fn add(State(world): State<Shared>, body: Bytes) -> Response {
    let fields = match checked(&body) {
        Ok(fields) if fields.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty()) => fields,
        Ok(_) => return invalid("name", "This field is required."),
        Err(refused) => return refused,
    };
    let mut book = world.cloudtalk.book();
    let id = book.contact().id;
    let new_tags = write(&mut book, id, &fields);
    let contact = book.contacts[&id].clone();
    drop(book);
    webhooks::changed(&world, &contact);
    webhooks::tagged(&world, &contact, &new_tags);
    let answer = json!({"responseData": {"status": 201, "data": {"id": contact.id.to_string()}}});
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn edit(State(world): State<Shared>, Path(file): Path<String>, body: Bytes) -> Response {
    let fields = match checked(&body) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let mut book = world.cloudtalk.book();
    let Some(id) = held(&book, &file) else { return refusal(StatusCode::NOT_FOUND) };
    let new_tags = write(&mut book, id, &fields);
    let contact = book.contacts[&id].clone();
    drop(book);
    webhooks::changed(&world, &contact);
    webhooks::tagged(&world, &contact, &new_tags);
    envelope(&json!({"status": 200}))
}

async fn remove(State(world): State<Shared>, Path(file): Path<String>) -> Response {
    let removed = id(&file).and_then(|id| world.cloudtalk.book().contacts.remove(&id));
    if removed.is_some() { envelope(&json!({"status": 200})) } else { refusal(StatusCode::NOT_FOUND) }
}

async fn add_tags(State(world): State<Shared>, Path(file): Path<String>, body: Bytes) -> Response {
    retag(&world, &file, &body, "Tags were sucessfully added.", |book, id, tags| {
        tags.iter().filter(|tag| tag_contact(book, id, tag)).cloned().collect()
    })
}

async fn remove_tags(State(world): State<Shared>, Path(file): Path<String>, body: Bytes) -> Response {
    retag(&world, &file, &body, "Tags were successfully removed.", |book, id, tags| {
        if let Some(contact) = book.contacts.get_mut(&id) {
            contact.tags.retain(|held| !tags.iter().any(|tag| tag.to_lowercase() == held.to_lowercase()));
        }
        Vec::new()
    })
}

async fn tags(State(world): State<Shared>, Query(wanted): Query<BTreeMap<String, String>>) -> Json<Value> {
    let book = world.cloudtalk.book();
    paged(book.tags().map(|(id, name)| json!({"Tag": {"id": id.to_string(), "name": name}})).collect(), &wanted)
}

/// Changes a contact's tags; the webhooks are of those that `how` says are new.
fn retag(
    world: &Shared,
    file: &str,
    body: &[u8],
    message: &str,
    how: impl FnOnce(&mut Book, u64, &[String]) -> Vec<String>,
) -> Response {
    let given = object(body).ok().and_then(|fields| fields.get("tags")?.as_array().cloned());
    let given: Option<Vec<String>> =
        given.and_then(|tags| tags.iter().map(|tag| Some(tag.as_str()?.to_owned())).collect());
    let Some(given) = given.filter(|tags| !tags.is_empty()) else { return refusal(StatusCode::NOT_ACCEPTABLE) };
    let mut book = world.cloudtalk.book();
    let Some(id) = held(&book, file) else { return refusal(StatusCode::NOT_FOUND) };
    let new = how(&mut book, id, &given);
    let tags: Vec<_> = given.iter().map(|tag| json!({"id": book.tag(tag).to_string(), "name": tag})).collect();
    let contact = book.contacts[&id].clone();
    drop(book);
    webhooks::tagged(world, &contact, &new);
    envelope(&json!({"status": 200, "message": message, "data": {"tags": tags, "contact_id": id.to_string()}}))
}

#[expect(clippy::result_large_err, reason = "the error is the answer and goes out at once")]
fn checked(body: &[u8]) -> Result<Map<String, Value>, Response> {
    let fields = object(body)?;
    let all = |set: &str, name: &str, good: &dyn Fn(&Value) -> bool| {
        fields.get(set).and_then(Value::as_array).is_none_or(|values| values.iter().all(|value| good(&value[name])))
    };
    if !all("ContactEmail", "email", &|email| email.as_str().is_some_and(|text| text.contains('@'))) {
        return Err(invalid("email", "Please supply a valid email address."));
    }
    if !all("ContactNumber", "public_number", &|number| phone(number).is_some()) {
        return Err(invalid("public_number", "Please supply a valid phone number."));
    }
    Ok(fields)
}

/// Writes what was sent and returns the tags that are new to the contact.
fn write(book: &mut Book, id: u64, fields: &Map<String, Value>) -> Vec<String> {
    // A set is sent whole, or as an empty text, which clears it.
    let set = |name: &str| fields.get(name).map(|set| set.as_array().cloned().unwrap_or_default());
    let mut new = Vec::new();
    if let Some(tags) = set("ContactsTag") {
        let before = book.contacts.get_mut(&id).map(|contact| std::mem::take(&mut contact.tags)).unwrap_or_default();
        for tag in tags.iter().filter_map(|tag| tag["name"].as_str()) {
            if tag_contact(book, id, tag) && !before.iter().any(|held| held.to_lowercase() == tag.to_lowercase()) {
                new.push(tag.to_owned());
            }
        }
    }
    let Some(contact) = book.contacts.get_mut(&id) else { return new };
    for (name, held) in [("name", &mut contact.name), ("company", &mut contact.company)] {
        if let Some(text) = fields.get(name).and_then(Value::as_str) {
            text.clone_into(held);
        }
    }
    if let Some(numbers) = set("ContactNumber") {
        contact.phones = numbers.iter().filter_map(|number| phone(&number["public_number"])).collect();
    }
    if let Some(emails) = set("ContactEmail") {
        contact.emails = emails.iter().filter_map(|email| email["email"].as_str().map(str::to_owned)).collect();
    }
    if let Some(links) = set("ExternalUrl") {
        let text = |link: &Value, name: &str| link[name].as_str().unwrap_or_default().to_owned();
        contact.links = links.iter().map(|link| (text(link, "name"), text(link, "url"))).collect();
    }
    contact.modified = Utc::now();
    new
}

/// Whether the tag is new to the contact.
fn tag_contact(book: &mut Book, id: u64, tag: &str) -> bool {
    let known = book.tag(tag);
    let name = book.tag_named(known).unwrap_or(tag).to_owned();
    match book.contacts.get_mut(&id) {
        Some(contact) if !contact.tags.contains(&name) => {
            contact.tags.push(name);
            true
        }
        _ => false,
    }
}

fn phone(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| digits(value.as_str()?))
}

/// The contact of `123.json`, if there is one.
pub(super) fn held(book: &Book, file: &str) -> Option<u64> {
    id(file).filter(|id| book.contacts.contains_key(id))
}

/// The id in `123.json`.
pub(super) fn id(file: &str) -> Option<u64> {
    file.strip_suffix(".json")?.parse().ok()
}
