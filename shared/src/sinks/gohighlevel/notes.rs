//! Notes of a contact. Writing one is not idempotent and their list is the only way to look for one
//! (facts: crm_ai §1.4).

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Api;
use crate::http::ClientError;

/// A note.
#[derive(Debug, Clone, Deserialize)]
pub struct Note {
    /// The CRM's id.
    pub id: String,
    /// Its text.
    #[serde(default)]
    pub body: Option<String>,
    /// When it was written, in ISO 8601.
    #[serde(default, rename = "dateAdded")]
    pub date_added: Option<String>,
}

#[derive(Deserialize)]
struct One {
    note: Note,
}

#[derive(Deserialize)]
struct Many {
    notes: Vec<Note>,
}

impl Api {
    /// Writes a note and returns its id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_note(&self, contact: &str, body: &str) -> Result<String, ClientError> {
        let request = self.request(Method::POST, &format!("/contacts/{contact}/notes"));
        let written: One = self.send(request.json(&json!({"body": body}))).await?;
        Ok(written.note.id)
    }

    /// Writes a note anew.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn update_note(&self, contact: &str, note: &str, body: &str) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/contacts/{contact}/notes/{note}"));
        self.send::<serde_json::Value>(request.json(&json!({"body": body}))).await.map(drop)
    }

    /// Removes a note.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_note(&self, contact: &str, note: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("/contacts/{contact}/notes/{note}"));
        self.send::<serde_json::Value>(request).await.map(drop)
    }

    /// All notes of a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn notes(&self, contact: &str) -> Result<Vec<Note>, ClientError> {
        let found: Many = self.send(self.request(Method::GET, &format!("/contacts/{contact}/notes"))).await?;
        Ok(found.notes)
    }
}
