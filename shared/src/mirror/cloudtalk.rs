//! CloudTalk's contacts.

use async_trait::async_trait;

use super::{
    book::{Book, Note, replaced},
    merge::Writes,
    person::{Person, Seen, name_of},
};
use crate::{
    domain::Phone,
    http::ClientError,
    providers::cloudtalk::{Api, ContactFields},
};

#[async_trait]
impl Book for Api {
    async fn read(&self, id: &str) -> Result<Option<Person>, ClientError> {
        let contact = self.contact(id).await?;
        Ok(contact.map(|contact| Person {
            id: contact.id,
            name: contact.name.as_deref().and_then(name_of),
            phones: contact.phones,
            other_numbers: contact.other_numbers,
            emails: contact.emails,
            tags: contact.tags,
        }))
    }

    async fn by_phone(&self, phone: &Phone) -> Result<Option<String>, ClientError> {
        Ok(self.find_contact(phone).await?.map(|contact| contact.id))
    }

    async fn by_email(&self, email: &str) -> Result<Option<String>, ClientError> {
        Ok(self.find_contact_by_email(email).await?.map(|contact| contact.id))
    }

    fn creates(&self) -> bool {
        true
    }

    async fn create(&self, seen: &Seen) -> Result<String, ClientError> {
        // It creates none without a name.
        let number = || seen.phone.as_ref().map(ToString::to_string);
        self.create_contact(&ContactFields {
            name: seen.name.clone().or_else(number).or_else(|| seen.email.clone()),
            phones: seen.phone.iter().cloned().collect(),
            emails: seen.email.iter().cloned().collect(),
            tags: seen.tags.clone().unwrap_or_default(),
            ..ContactFields::default()
        })
        .await
    }

    async fn write(&self, person: &Person, seen: &Seen, writes: &Writes) -> Result<(), ClientError> {
        if writes.fields() {
            // A set that is sent replaces the one that is there.
            let phones = writes.phone.as_ref().map(|new| replaced(&person.phones, seen.phone.as_ref(), new));
            let others = phones.is_some().then(|| person.other_numbers.clone());
            let is_old = |email: &&String| seen.email.as_deref() == Some(email.trim().to_lowercase().as_str());
            let old = person.emails.iter().find(is_old);
            let emails = writes.email.as_ref().map(|new| replaced(&person.emails, old, new));
            let fields = ContactFields {
                name: writes.name.clone(),
                phones: phones.unwrap_or_default(),
                other_numbers: others.unwrap_or_default(),
                emails: emails.unwrap_or_default(),
                ..ContactFields::default()
            };
            self.update_contact(&person.id, &fields).await?;
        }
        if !writes.remove_tags.is_empty() {
            self.remove_tags(&person.id, &refs(&writes.remove_tags)).await?;
        }
        if !writes.add_tags.is_empty() {
            self.add_tags(&person.id, &refs(&writes.add_tags)).await?;
        }
        Ok(())
    }

    fn is_gone(&self, error: &ClientError) -> bool {
        error.is(404)
    }

    async fn notes(&self, contact: &str) -> Result<Vec<Note>, ClientError> {
        let mut notes: Vec<_> = Api::notes(self, contact).await?;
        // Ids count up.
        notes.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
        Ok(notes.into_iter().map(|note| Note { id: note.id, text: note.text }).collect())
    }

    async fn add_note(&self, contact: &str, text: &str) -> Result<String, ClientError> {
        Api::add_note(self, contact, text).await
    }
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
