//! GoHighLevel's contacts.

use async_trait::async_trait;

use super::{
    book::{Book, Note},
    merge::Writes,
    person::{Person, Seen, name_of},
};
use crate::{
    domain::Phone,
    http::ClientError,
    sinks::gohighlevel::{Api, Contact, ContactFields, is_gone},
};

/// The contacts of one location.
pub(super) struct Location {
    pub(super) api: Api,
    pub(super) creates: bool,
}

#[async_trait]
impl Book for Location {
    async fn read(&self, id: &str) -> Result<Option<Person>, ClientError> {
        match self.api.contact(id).await {
            Ok(contact) => Ok(Some(person(contact))),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn by_phone(&self, phone: &Phone) -> Result<Option<String>, ClientError> {
        Ok(self.api.find_contact(phone).await?.map(|contact| contact.id))
    }

    async fn by_email(&self, email: &str) -> Result<Option<String>, ClientError> {
        Ok(self.api.find_contact_by_email(email).await?.map(|contact| contact.id))
    }

    fn creates(&self) -> bool {
        self.creates
    }

    async fn create(&self, seen: &Seen) -> Result<String, ClientError> {
        let tags = seen.tags.clone().unwrap_or_default();
        Ok(self.api.create_contact(&fields(&seen.name, &seen.phone, &seen.email), &tags).await?.id)
    }

    async fn write(&self, person: &Person, _seen: &Seen, writes: &Writes) -> Result<(), ClientError> {
        if writes.fields() {
            self.api.update_contact(&person.id, &fields(&writes.name, &writes.phone, &writes.email)).await?;
        }
        if !writes.remove_tags.is_empty() {
            self.api.remove_tags(&person.id, &writes.remove_tags).await?;
        }
        if !writes.add_tags.is_empty() {
            let tags: Vec<&str> = writes.add_tags.iter().map(String::as_str).collect();
            self.api.add_tags(&person.id, &tags).await?;
        }
        Ok(())
    }

    fn is_gone(&self, error: &ClientError) -> bool {
        is_gone(error)
    }

    async fn notes(&self, contact: &str) -> Result<Vec<Note>, ClientError> {
        let mut notes = self.api.notes(contact).await?;
        notes.sort_by(|a, b| a.date_added.cmp(&b.date_added));
        Ok(notes.into_iter().map(|note| Note { id: note.id, text: note.body.unwrap_or_default() }).collect())
    }

    async fn add_note(&self, contact: &str, text: &str) -> Result<String, ClientError> {
        self.api.create_note(contact, text).await
    }
}

fn fields(name: &Option<String>, phone: &Option<Phone>, email: &Option<String>) -> ContactFields {
    ContactFields { name: name.clone(), phone: phone.clone(), email: email.clone() }
}

fn person(contact: Contact) -> Person {
    let name = contact.display_name().as_deref().and_then(name_of);
    Person {
        id: contact.id,
        name,
        phones: contact.phone.as_deref().and_then(Phone::parse).into_iter().collect(),
        emails: contact.email.into_iter().filter(|email| !email.trim().is_empty()).collect(),
        tags: contact.tags,
        other_numbers: Vec::new(),
    }
}
