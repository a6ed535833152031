//! What GoHighLevel tells when contacts and opportunities change, whoever changed them. With a secret of the form
//! `ed25519:<64 hex digits>` as a marketplace app does: signed, all to one route. With any other as workflows do: the
//! secret in a header, each to its own route, in the keys of a workflow's standard data.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    book::{Contact, Note},
    opportunities::Opportunity,
};
use crate::{hooks, vendor::Vendor, world::Shared};

/// What is told, and on which route a workflow tells it.
#[derive(Clone, Copy)]
struct Event {
    name: &'static str,
    route: &'static str,
}

pub(super) fn created(world: &Shared, contact: &Contact) {
    post(world, Event { name: "ContactCreate", route: "new-contact" }, about(contact), standard(contact));
}

pub(super) fn changed(world: &Shared, contact: &Contact) {
    post(world, Event { name: "ContactUpdate", route: "new-contact" }, about(contact), standard(contact));
}

pub(super) fn tagged(world: &Shared, contact: &Contact) {
    post(world, Event { name: "ContactTagUpdate", route: "new-tag" }, about(contact), standard(contact));
}

pub(super) fn noted(world: &Shared, contact: &Contact, note: &Note) {
    let body = json!({
        "locationId": contact.location_id, "id": note.id, "body": note.body, "contactId": contact.id,
        "dateAdded": note.date_added,
    });
    let mut told = standard(contact);
    told["note"] = json!({"id": note.id, "body": note.body});
    post(world, Event { name: "NoteCreate", route: "new-note" }, body, told);
}

pub(super) fn moved(world: &Shared, contact: &Contact, deal: &Opportunity, stage: &str) {
    let event = Event { name: "OpportunityStageUpdate", route: "pipeline-stage-changed" };
    opportunity(world, event, contact, deal, stage);
}

pub(super) fn ended(world: &Shared, contact: &Contact, deal: &Opportunity, stage: &str) {
    let event = Event { name: "OpportunityStatusUpdate", route: "opportunity-status-changed" };
    opportunity(world, event, contact, deal, stage);
}

fn opportunity(world: &Shared, event: Event, contact: &Contact, deal: &Opportunity, stage: &str) {
    let body = serde_json::to_value(deal).unwrap_or_default();
    let mut told = standard(contact);
    let more = json!({
        "id": deal.id, "opportunity_name": deal.name, "status": deal.status, "pipleline_stage": stage,
        "pipeline_id": deal.pipeline_id, "pipeline_name": super::opportunities::PIPELINE,
    });
    if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
        told.extend(more);
    }
    post(world, event, body, told);
}

/// As a marketplace app is told of a contact.
fn about(contact: &Contact) -> Value {
    let other = |name: &str| contact.other.get(name).cloned().unwrap_or_default();
    json!({
        "locationId": contact.location_id, "id": contact.id, "email": contact.email, "phone": contact.phone,
        "name": contact.contact_name, "firstName": other("firstName"), "lastName": other("lastName"),
        "tags": contact.tags, "dnd": contact.dnd, "dateAdded": contact.date_added,
    })
}

/// As a workflow tells of a contact.
fn standard(contact: &Contact) -> Value {
    let other = |name: &str| contact.other.get(name).cloned().unwrap_or_default();
    json!({
        "contact_id": contact.id, "first_name": other("firstName"), "last_name": other("lastName"),
        "full_name": contact.contact_name, "email": contact.email, "phone": contact.phone,
        "tags": contact.tags.join(","), "date_created": contact.date_added,
        "location": {"id": contact.location_id}, "customData": {},
    })
}

fn post(world: &Shared, event: Event, mut body: Value, told: Value) {
    let Some(hook) = world.hook(Vendor::Ghl) else { return };
    let url = |route: &str| format!("{}/api/ghl-webhooks/{route}", hook.base.trim_end_matches('/'));
    let request = match key(&hook.secret) {
        Some(key) => {
            body["type"] = event.name.into();
            body["timestamp"] = json!(Utc::now());
            body["webhookId"] = uuid::Uuid::now_v7().to_string().into();
            let body = body.to_string();
            let signature = BASE64_STANDARD.encode(key.sign(body.as_bytes()));
            let request = world.http().post(url("new-contact")).header("content-type", "application/json");
            request.header("x-ghl-signature", signature).body(body)
        }
        None => world.http().post(url(event.route)).bearer_auth(&hook.secret).json(&told),
    };
    hooks::send(world, Vendor::Ghl, event.route, request);
}

fn key(secret: &str) -> Option<Ed25519KeyPair> {
    let digits = secret.strip_prefix("ed25519:")?;
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let seed: Vec<u8> = (0..digits.len()).step_by(2).map(pair).collect::<Option<_>>()?;
    Ed25519KeyPair::from_seed_unchecked(&seed).ok()
}
