//! What workflows tell when contacts change, with the keys that an administrator would type. Ids and numbers are integers.

use serde_json::{Value, json};

use super::book::{CloudtalkContact, CloudtalkNote};
use crate::{hooks, vendor::Vendor, world::Shared};

/// A contact was created or changed.
pub(super) fn changed(world: &Shared, contact: &CloudtalkContact) {
    let mut body = about(contact);
    body["company"] = contact.company.as_str().into();
    post(world, "contact-updated", &body);
}

/// A contact got these tags.
pub(super) fn tagged(world: &Shared, contact: &CloudtalkContact, tags: &[String]) {
    for tag in tags {
        let mut body = about(contact);
        body["tag_name"] = tag.as_str().into();
        post(world, "new-tag", &body);
    }
}

/// A contact's note was written, or written anew.
pub(super) fn noted(world: &Shared, contact: &CloudtalkContact, note: &CloudtalkNote) {
    let mut body = about(contact);
    body["note_id"] = note.id.into();
    body["note_content"] = note.note.as_str().into();
    post(world, "new-note", &body);
}

fn about(contact: &CloudtalkContact) -> Value {
    json!({
        "contact_id": contact.id, "contact_name": contact.name, "external_number": contact.phones.first(),
        "contact_email": contact.emails.first(),
    })
}

fn post(world: &Shared, event: &'static str, body: &Value) {
    let Some(hook) = world.hook(Vendor::Cloudtalk) else { return };
    let url = format!("{}/api/cloudtalk-webhooks/{event}", hook.base.trim_end_matches('/'));
    let request = world.http().post(url).header("user-agent", "cloudtalk-workflow-automation").json(body);
    let request = if hook.secret.is_empty() { request } else { request.bearer_auth(&hook.secret) };
    hooks::send(world, Vendor::Cloudtalk, event, request);
}
