//! Contacts and their tags. Tags are only ever added: in a contact's own update they would overwrite those that people
//! have set (facts: crm_ai §1.4).

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Said};
use crate::{domain::Phone, http::ClientError};

/// A contact, as far as the CRM told us.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Contact {
    /// The CRM's id.
    pub id: String,
    /// First part of the name.
    #[serde(default, rename = "firstName")]
    pub first_name: Option<String>,
    /// Second part of the name.
    #[serde(default, rename = "lastName")]
    pub last_name: Option<String>,
    /// Both parts, in lower case.
    #[serde(default, rename = "contactName")]
    pub contact_name: Option<String>,
    /// Main number.
    #[serde(default)]
    pub phone: Option<String>,
    /// Main e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Its tags, in lower case.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// Its custom fields by id; keys are never told.
    #[serde(default, rename = "customFields")]
    pub custom_fields: Option<Vec<FieldValue>>,
}

/// What a contact is to hold. What is absent is not sent, and stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactFields {
    /// Display name; a number that stands in its place is none.
    pub name: Option<String>,
    /// Number.
    pub phone: Option<Phone>,
    /// E-mail address.
    pub email: Option<String>,
}

impl ContactFields {
    fn body(&self) -> Value {
        let mut body = json!({});
        if let Some((first, last)) = self.name.as_deref().and_then(first_and_last) {
            body["firstName"] = first.into();
            if !last.is_empty() {
                body["lastName"] = last.into();
            }
        }
        if let Some(phone) = &self.phone {
            body["phone"] = phone.as_str().into();
        }
        if let Some(email) = &self.email {
            body["email"] = email.as_str().into();
        }
        body
    }
}

/// The value of a custom field.
#[derive(Debug, Clone, Deserialize)]
pub struct FieldValue {
    /// The field's id.
    pub id: String,
    /// Its value; text for the fields that we write.
    #[serde(default)]
    pub value: Value,
}

#[derive(Deserialize)]
struct One {
    contact: Option<Contact>,
}

#[derive(Deserialize)]
struct Many {
    contacts: Vec<Contact>,
}

impl Contact {
    /// A contact of which only the id is known.
    pub fn by_id(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// The name as people read it.
    pub fn display_name(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.first_name, &self.last_name].into_iter().flatten().map(|part| part.trim()).collect();
        let both = parts.join(" ").trim().to_owned();
        if both.is_empty() { self.contact_name.clone() } else { Some(both) }
    }

    /// The text in a custom field.
    pub fn field(&self, id: &str) -> Option<&str> {
        self.custom_fields.iter().flatten().find(|field| field.id == id)?.value.as_str()
    }

    /// Those of `tags` that it is not known to have.
    pub fn lacks<'t>(&self, tags: &[&'t str]) -> Vec<&'t str> {
        let has = |tag: &str| self.tags.iter().flatten().any(|known| known.eq_ignore_ascii_case(tag));
        tags.iter().copied().filter(|tag| !has(tag)).collect()
    }
}

impl Api {
    /// The contact with that number. The vendor's own search for duplicates comes first: it follows the location's rules.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn find_contact(&self, phone: &Phone) -> Result<Option<Contact>, ClientError> {
        self.search("number", "phone", phone.as_str()).await
    }

    /// The contact with that e-mail address, likewise.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn find_contact_by_email(&self, email: &str) -> Result<Option<Contact>, ClientError> {
        self.search("email", "email", email).await
    }

    async fn search(&self, name: &str, field: &str, value: &str) -> Result<Option<Contact>, ClientError> {
        let duplicate = self.request(Method::GET, "/contacts/search/duplicate");
        let query = [("locationId", self.location.as_str()), (name, value)];
        let found: One = self.send(duplicate.query(&query)).await?;
        if found.contact.is_some() {
            return Ok(found.contact);
        }
        let filter = json!({"field": field, "operator": "eq", "value": value});
        let body = json!({"locationId": self.location, "page": 1, "pageLimit": 20, "filters": [filter]});
        let found: Many = self.send(self.request(Method::POST, "/contacts/search").json(&body)).await?;
        Ok(found.contacts.into_iter().next())
    }

    /// Creates a contact with these tags; or returns the one that the CRM says stands in the way, which its searches may
    /// not have known yet. A plain create and no upsert: that would overwrite the name of such a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_contact(&self, fields: &ContactFields, tags: &[String]) -> Result<Contact, ClientError> {
        let mut body = fields.body();
        body["locationId"] = self.location.as_str().into();
        body["source"] = "Tapedeck".into();
        if !tags.is_empty() {
            body["tags"] = tags.into();
        }
        match self.send::<One>(self.request(Method::POST, "/contacts/").json(&body)).await {
            Ok(One { contact: Some(contact) }) => Ok(contact),
            Ok(One { contact: None }) => {
                Err(ClientError::nonsense(self.vendor.name(), "created a contact without an id"))
            }
            Err(error) if error.is(400) => {
                let existing = Said::of(&error).meta.and_then(|meta| meta.contact_id);
                existing.map(Contact::by_id).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contact(&self, id: &str) -> Result<Contact, ClientError> {
        let found: One = self.send(self.request(Method::GET, &format!("/contacts/{id}"))).await?;
        found.contact.ok_or_else(|| ClientError::nonsense(self.vendor.name(), "answered without the contact"))
    }

    /// Writes what `fields` holds over what the contact held. Never tags: they would overwrite all that it has.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn update_contact(&self, id: &str, fields: &ContactFields) -> Result<(), ClientError> {
        let mut body = fields.body();
        if body["firstName"].is_string() && body["lastName"].is_null() {
            // Else the new first name would stand before the old last one.
            body["lastName"] = "".into();
        }
        let request = self.request(Method::PUT, &format!("/contacts/{id}"));
        self.send::<Value>(request.json(&body)).await.map(drop)
    }

    /// Takes tags away.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_tags(&self, contact: &str, tags: &[String]) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("/contacts/{contact}/tags"));
        self.send::<Value>(request.json(&json!({"tags": tags}))).await.map(drop)
    }

    /// Adds tags to those that the contact has.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn add_tags(&self, contact: &str, tags: &[&str]) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &format!("/contacts/{contact}/tags"));
        self.send::<Value>(request.json(&json!({"tags": tags}))).await.map(drop)
    }
}

/// A display name in the two parts that the CRM keeps; `None` for a number that stands in place of a name.
fn first_and_last(name: &str) -> Option<(&str, &str)> {
    let name = name.trim();
    if name.is_empty() || Phone::parse(name).is_some() {
        return None;
    }
    Some(name.split_once(char::is_whitespace).map_or((name, ""), |(first, last)| (first, last.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_and_a_number_is_no_name() {
        assert_eq!(first_and_last("Mario Rossi"), Some(("Mario", "Rossi")));
        assert_eq!(first_and_last(" Ada  de la Cruz "), Some(("Ada", "de la Cruz")));
        assert_eq!(first_and_last("Cher"), Some(("Cher", "")));
        assert_eq!(first_and_last("+39 350 123 4567"), None);
        assert_eq!(first_and_last(" "), None);
    }

    #[test]
    fn a_tag_is_known_in_any_case() {
        let tags = Some(vec!["ct-callcompleted".to_owned(), "VIP".to_owned()]);
        let contact = Contact { tags, ..Contact::by_id("c") };
        assert_eq!(contact.lacks(&["CT-CallCompleted", "CT-INBOUND"]), ["CT-INBOUND"]);
        assert_eq!(Contact::by_id("c").lacks(&["CT-INBOUND"]), ["CT-INBOUND"]);
    }
}
