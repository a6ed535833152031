//! Contacts and their tags.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Api, created, is_id, several, text, unknown};
use crate::{domain::Phone, http::ClientError};

/// Hits of a search that are looked at.
const HITS: usize = 20;
/// Hits whose other numbers and addresses are looked at: a list shows but one of each.
const SHOWN: usize = 5;

/// A contact, as far as CloudTalk told us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// CloudTalk's id.
    pub id: String,
    /// Display name.
    pub name: Option<String>,
    /// Where the person works.
    pub company: Option<String>,
    /// Numbers; of a contact that was searched for perhaps only one of them.
    pub phones: Vec<Phone>,
    /// What stands among them and is no number for us (an extension, a short code), as it is written there.
    pub other_numbers: Vec<String>,
    /// E-mail addresses, with the same reserve.
    pub emails: Vec<String>,
    /// Names of its tags; `None` where it was only searched for.
    pub tags: Option<Vec<String>>,
}

/// What a contact is to hold. What is absent or empty is not sent, and stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactFields {
    /// Display name; CloudTalk creates none without.
    pub name: Option<String>,
    /// Where the person works.
    pub company: Option<String>,
    /// All numbers: those that it had and that are not here are gone afterwards.
    pub phones: Vec<Phone>,
    /// What it had among them that is no number for us, sent with them.
    pub other_numbers: Vec<String>,
    /// All e-mail addresses, likewise.
    pub emails: Vec<String>,
    /// All tags, likewise; [`Api::add_tags`] only adds.
    pub tags: Vec<String>,
    /// Links to the same person elsewhere, likewise: name of the system and URL.
    pub links: Vec<(String, String)>,
}

impl Contact {
    /// A row of the list, or the answer to `show`.
    fn read(row: &Value) -> Option<Self> {
        let one = &row["Contact"];
        let emails = several(&row["ContactEmail"]).filter_map(|email| text(&email["email"]));
        let (mut phones, mut other_numbers) = (Vec::new(), Vec::new());
        for number in several(&row["ContactNumber"]).filter_map(|number| text(&number["public_number"])) {
            match Phone::parse(&number) {
                Some(phone) => phones.push(phone),
                None => other_numbers.push(number),
            }
        }
        Some(Self {
            id: text(&one["id"])?,
            name: text(&one["name"]),
            company: text(&one["company"]),
            phones,
            other_numbers,
            emails: emails.collect(),
            tags: row.get("ContactsTag").map(|tags| several(tags).filter_map(|tag| text(&tag["name"])).collect()),
        })
    }

    /// Those of `tags` that it is not known to have, in whatever case.
    pub fn lacks<'t>(&self, tags: &[&'t str]) -> Vec<&'t str> {
        let has = |tag: &str| self.tags.iter().flatten().any(|known| known.to_lowercase() == tag.to_lowercase());
        tags.iter().copied().filter(|tag| !has(tag)).collect()
    }
}

impl ContactFields {
    fn body(&self) -> Value {
        let mut body = json!({});
        let mut put = |name: &str, values: Vec<Value>| {
            if !values.is_empty() {
                body[name] = values.into();
            }
        };
        let numbers = self.phones.iter().map(Phone::as_str).chain(self.other_numbers.iter().map(String::as_str));
        put("ContactNumber", numbers.map(|number| json!({"public_number": number})).collect());
        put("ContactEmail", self.emails.iter().map(|email| json!({"email": email})).collect());
        put("ContactsTag", self.tags.iter().map(|tag| json!({"name": tag})).collect());
        put("ExternalUrl", self.links.iter().map(|(name, url)| json!({"name": name, "url": url})).collect());
        for (name, value) in [("name", &self.name), ("company", &self.company)] {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        body
    }
}

impl Api {
    /// The contact with that number; of several the oldest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn find_contact(&self, phone: &Phone) -> Result<Option<Contact>, ClientError> {
        let digits = phone.as_str().trim_start_matches('+');
        self.search(digits, |contact| contact.phones.contains(phone)).await
    }

    /// The contact with that e-mail address; of several the oldest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn find_contact_by_email(&self, email: &str) -> Result<Option<Contact>, ClientError> {
        let same = |known: &String| known.eq_ignore_ascii_case(email.trim());
        self.search(email.trim(), |contact| contact.emails.iter().any(same)).await
    }

    /// A contact with all that it holds; `None` when there is none of that id (any more).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contact(&self, id: &str) -> Result<Option<Contact>, ClientError> {
        if !is_id(id) {
            return Ok(None);
        }
        match self.send(self.request(Method::GET, &format!("/contacts/show/{id}.json"))).await {
            Ok(answer) => Contact::read(&answer)
                .map(|contact| Some(Contact { tags: Some(contact.tags.unwrap_or_default()), ..contact }))
                .ok_or_else(|| ClientError::nonsense(self.vendor.name(), "answered without the contact")),
            Err(error) if error.is(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a contact and returns its id. CloudTalk does not mind a second one with the same number, and knows no
    /// idempotency keys: look for it first, also after a lost answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_contact(&self, fields: &ContactFields) -> Result<String, ClientError> {
        created(&self.send(self.request(Method::PUT, "/contacts/add.json").json(&fields.body())).await?)
    }

    /// Writes what `fields` holds over what the contact held.
    ///
    /// # Errors
    /// [`ClientError`]; 404 when there is no such contact.
    pub async fn update_contact(&self, id: &str, fields: &ContactFields) -> Result<(), ClientError> {
        self.write(Method::POST, "/contacts/edit", id, &fields.body()).await
    }

    /// Adds tags to those that the contact has; they need not exist.
    ///
    /// # Errors
    /// [`ClientError`]; 404 when there is no such contact.
    pub async fn add_tags(&self, contact: &str, tags: &[&str]) -> Result<(), ClientError> {
        self.write(Method::PUT, "/contacts/addTags", contact, &json!({"tags": tags})).await
    }

    /// Takes tags away from the contact.
    ///
    /// # Errors
    /// [`ClientError`]; 404 when there is no such contact.
    pub async fn remove_tags(&self, contact: &str, tags: &[&str]) -> Result<(), ClientError> {
        self.write(Method::DELETE, "/contacts/removeTags", contact, &json!({"tags": tags})).await
    }

    pub(super) async fn write(&self, method: Method, path: &str, id: &str, body: &Value) -> Result<(), ClientError> {
        if !is_id(id) {
            return Err(unknown());
        }
        self.send(self.request(method, &format!("{path}/{id}.json")).json(body)).await.map(drop)
    }

    /// The keyword finds parts of anything; what is meant is found by comparing.
    async fn search(&self, keyword: &str, is_meant: impl Fn(&Contact) -> bool) -> Result<Option<Contact>, ClientError> {
        let (rows, _) = self.page("/contacts/index.json", &[("keyword", keyword)], 1, HITS).await?;
        let mut hits: Vec<Contact> = rows.iter().filter_map(Contact::read).collect();
        hits.sort_by_key(|contact| (contact.id.len(), contact.id.clone()));
        if let Some(at) = hits.iter().position(&is_meant) {
            return Ok(Some(hits.swap_remove(at)));
        }
        for hit in hits.into_iter().take(SHOWN) {
            if let Some(contact) = self.contact(&hit.id).await?.filter(&is_meant) {
                return Ok(Some(contact));
            }
        }
        Ok(None)
    }
}
