//! What GoHighLevel remembers, found by id, phone or e-mail without looking through it all.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{new_id, opportunities::Opportunity};

/// What GoHighLevel holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GhlState {
    /// By creation.
    pub contacts: Vec<ContactState>,
    /// By creation.
    pub conversations: Vec<Conversation>,
    /// Of all locations that were asked about.
    pub custom_fields: Vec<CustomField>,
    /// With what workflows were started.
    pub triggered: Vec<Value>,
}

/// A contact with its notes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactState {
    /// The contact as the API gives it.
    #[serde(flatten)]
    pub contact: Contact,
    /// Its notes by creation.
    pub notes: Vec<Note>,
}

/// A contact as the API gives it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// 20 letters and digits.
    pub id: String,
    /// The sub-account.
    pub location_id: String,
    /// Both names in lower case.
    pub contact_name: Option<String>,
    /// Unique in its location.
    pub email: Option<String>,
    /// E.164, unique in its location.
    pub phone: Option<String>,
    /// Lower case.
    pub tags: Vec<String>,
    /// Values by the id of their field.
    pub custom_fields: Vec<FieldValue>,
    /// Do not disturb.
    pub dnd: bool,
    /// When it was created.
    pub date_added: DateTime<Utc>,
    /// When it was last written.
    pub date_updated: DateTime<Utc>,
    /// `firstName`, `lastName`, `source` and the like.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The value of a custom field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldValue {
    /// Of the field.
    pub id: String,
    /// What it holds.
    pub value: Value,
}

/// A custom field of a location.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomField {
    /// 20 letters and digits.
    pub id: String,
    /// As shown.
    pub name: String,
    /// `contact.…`, derived from the name.
    pub field_key: String,
    /// `TEXT`, `LARGE_TEXT`…
    pub data_type: String,
    /// `contact` or `opportunity`.
    pub model: String,
    /// Order in the form.
    pub position: usize,
    /// The sub-account.
    pub location_id: String,
}

/// A note of a contact.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// 20 letters and digits.
    pub id: String,
    /// The text.
    pub body: String,
    /// Who wrote it.
    pub user_id: Option<String>,
    /// When.
    pub date_added: DateTime<Utc>,
    /// Whose.
    pub contact_id: String,
    /// A heading.
    pub title: Option<String>,
    /// Its colour.
    pub color: Option<String>,
    /// Shown first.
    pub pinned: bool,
}

/// The conversation with a contact; there is at most one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// 20 letters and digits.
    pub id: String,
    /// With whom.
    pub contact_id: String,
    /// The sub-account.
    pub location_id: String,
    /// By arrival.
    pub messages: Vec<Message>,
}

/// A message or a logged call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// 20 letters and digits.
    pub id: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// What was posted.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

#[derive(Default)]
pub(super) struct Book {
    contacts: Vec<Contact>,
    by_id: HashMap<String, usize>,
    by_key: HashMap<Key, usize>,
    pub(super) notes: HashMap<String, Vec<Note>>,
    fields: HashMap<String, Vec<CustomField>>,
    pub(super) opportunities: HashMap<String, Opportunity>,
    pub(super) triggered: Vec<Value>,
    pub(super) conversations: Vec<Conversation>,
    pub(super) conversation_by_id: HashMap<String, usize>,
    pub(super) conversation_by_contact: HashMap<String, usize>,
}

/// What a contact is unique by: location and phone or e-mail.
type Key = (String, String);

fn key(location: &str, value: &str) -> Key {
    (location.to_owned(), value.to_lowercase())
}

/// Phones are kept as `+` and digits, so that ways of writing them do not make two contacts.
pub(super) fn phone(given: &str) -> Option<String> {
    let digits: String = given.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("+{digits}"))
}

impl Book {
    pub(super) fn snapshot(&self) -> GhlState {
        let with_notes = |contact: &Contact| ContactState {
            contact: contact.clone(),
            notes: self.notes.get(&contact.id).cloned().unwrap_or_default(),
        };
        GhlState {
            contacts: self.contacts.iter().map(with_notes).collect(),
            conversations: self.conversations.clone(),
            custom_fields: self.fields.values().flatten().cloned().collect(),
            triggered: self.triggered.clone(),
        }
    }

    pub(super) fn all(&self) -> &[Contact] {
        &self.contacts
    }

    pub(super) fn contact(&self, id: &str) -> Option<&Contact> {
        self.by_id.get(id).map(|at| &self.contacts[*at])
    }

    /// To change anything but phone and e-mail, which [`Book::write`] keeps findable.
    pub(super) fn contact_mut(&mut self, id: &str) -> Option<&mut Contact> {
        self.by_id.get(id).map(|at| &mut self.contacts[*at])
    }

    pub(super) fn by_email(&self, location: &str, email: &str) -> Option<&Contact> {
        self.by_key.get(&key(location, email)).map(|at| &self.contacts[*at])
    }

    pub(super) fn by_phone(&self, location: &str, given: &str) -> Option<&Contact> {
        self.by_key.get(&key(location, &phone(given)?)).map(|at| &self.contacts[*at])
    }

    pub(super) fn create(&mut self, location: &str, fields: &Map<String, Value>) -> &Contact {
        let (id, now) = (new_id(), Utc::now());
        let contact = Contact {
            id: id.clone(),
            location_id: location.to_owned(),
            contact_name: None,
            email: None,
            phone: None,
            tags: Vec::new(),
            custom_fields: Vec::new(),
            dnd: false,
            date_added: now,
            date_updated: now,
            other: Map::new(),
        };
        let at = self.contacts.len();
        self.contacts.push(contact);
        self.by_id.insert(id, at);
        self.write(at, fields);
        &self.contacts[at]
    }

    pub(super) fn change(&mut self, id: &str, fields: &Map<String, Value>) -> Option<&Contact> {
        let at = *self.by_id.get(id)?;
        self.write(at, fields);
        Some(&self.contacts[at])
    }

    /// What is given replaces what was: tags wholly, custom fields one by one.
    fn write(&mut self, at: usize, fields: &Map<String, Value>) {
        let contact = &mut self.contacts[at];
        for key in keys(contact) {
            self.by_key.remove(&key);
        }
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("locationId", _) => {}
                ("email", value) => contact.email = value.as_str().map(str::to_lowercase),
                ("phone", value) => contact.phone = value.as_str().and_then(phone),
                ("tags", value) => contact.tags = lower_case(value),
                ("dnd", value) => contact.dnd = value.as_bool().unwrap_or(false),
                ("customFields", Value::Array(values)) => values.iter().for_each(|value| set_field(contact, value)),
                (_, value) => drop(contact.other.insert(name.clone(), value.clone())),
            }
        }
        contact.contact_name = name_of(&contact.other);
        contact.date_updated = Utc::now();
        for key in keys(contact) {
            self.by_key.insert(key, at);
        }
    }

    /// The custom fields of a location. Two exist from the start.
    pub(super) fn fields(&mut self, location: &str) -> &mut Vec<CustomField> {
        self.fields.entry(location.to_owned()).or_insert_with(|| {
            let first = [
                ("CloudTalk Last Recording", "cloudtalk_last_recording", "LARGE_TEXT"),
                ("CloudTalk Recording URL", "cloudtalk_recording_url", "TEXT"),
            ];
            let field = |(at, (name, key, data_type)): (usize, (&str, &str, &str))| CustomField {
                id: new_id(),
                name: name.to_owned(),
                field_key: format!("contact.{key}"),
                data_type: data_type.to_owned(),
                model: "contact".to_owned(),
                position: at * 50,
                location_id: location.to_owned(),
            };
            first.into_iter().enumerate().map(field).collect()
        })
    }
}

/// Under what a contact is found.
fn keys(contact: &Contact) -> impl Iterator<Item = Key> + use<> {
    let location = contact.location_id.clone();
    let values = [contact.phone.clone(), contact.email.clone()];
    values.into_iter().flatten().map(move |value| key(&location, &value))
}

/// Tags are kept in lower case, each once.
pub(super) fn lower_case(tags: &Value) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let tag = tag.trim().to_lowercase();
        if !tag.is_empty() && !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    kept
}

fn set_field(contact: &mut Contact, given: &Value) {
    let Some(id) = given.get("id").and_then(Value::as_str) else { return };
    let value = ["field_value", "fieldValue", "value"].iter().find_map(|name| given.get(*name)).cloned();
    contact.custom_fields.retain(|field| field.id != id);
    if let Some(value) = value.filter(|value| !value.is_null() && value != "") {
        contact.custom_fields.push(FieldValue { id: id.to_owned(), value });
    }
}

fn name_of(other: &Map<String, Value>) -> Option<String> {
    let part = |name: &str| other.get(name).and_then(Value::as_str).unwrap_or_default();
    let both = format!("{} {}", part("firstName"), part("lastName"));
    let name = if both.trim().is_empty() { part("name") } else { both.trim() };
    (!name.is_empty()).then(|| name.to_lowercase())
}
