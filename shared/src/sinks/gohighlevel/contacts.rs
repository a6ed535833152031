//! Contacts and their tags. Tags are only ever added: in a contact's own update they would overwrite those that people
//! have set (facts: crm_ai §1.4).

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Said};
use crate::{
    domain::{Call, Phone},
    http::ClientError,
};

/// A contact, as far as the CRM told us.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Contact {
    /// The CRM's id.
    pub id: String,
    /// Its tags, in lower case.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// Its custom fields by id; keys are never told.
    #[serde(default, rename = "customFields")]
    pub custom_fields: Option<Vec<FieldValue>>,
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
        let duplicate = self.request(Method::GET, "/contacts/search/duplicate");
        let query = [("locationId", self.location.as_str()), ("number", phone.as_str())];
        let found: One = self.send(duplicate.query(&query)).await?;
        if found.contact.is_some() {
            return Ok(found.contact);
        }
        let filter = json!({"field": "phone", "operator": "eq", "value": phone.as_str()});
        let body = json!({"locationId": self.location, "page": 1, "pageLimit": 20, "filters": [filter]});
        let found: Many = self.send(self.request(Method::POST, "/contacts/search").json(&body)).await?;
        Ok(found.contacts.into_iter().next())
    }

    /// Creates the contact of a call; or returns the one that the CRM says stands in the way, which its searches may not
    /// have known yet. A plain create and no upsert: that would overwrite the name of such a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_contact(&self, call: &Call, phone: &Phone) -> Result<Contact, ClientError> {
        let contact = &call.facts.contact;
        let mut body = json!({"locationId": self.location, "phone": phone.as_str(), "source": "Tapedeck"});
        if let Some((first, last)) = contact.name.as_deref().and_then(first_and_last) {
            body["firstName"] = first.into();
            if !last.is_empty() {
                body["lastName"] = last.into();
            }
        }
        if let Some(email) = &contact.email {
            body["email"] = email.as_str().into();
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
