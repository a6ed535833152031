//! Notes of a contact. Writing one is not idempotent.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Api, created, is_id, text, unknown};
use crate::http::ClientError;

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// CloudTalk's id.
    pub id: String,
    /// What it says.
    pub text: String,
    /// The agent who wrote it.
    pub agent: Option<String>,
}

impl Note {
    fn read(row: &Value) -> Option<Self> {
        let note = &row["ContactNote"];
        Some(Self {
            id: text(&note["id"])?,
            text: text(&note["note"]).unwrap_or_default(),
            agent: text(&note["user_id"]),
        })
    }
}

impl Api {
    /// All notes of a contact.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn notes(&self, contact: &str) -> Result<Vec<Note>, ClientError> {
        if !is_id(contact) {
            return Err(unknown());
        }
        let rows = self.list("/notes/index.json", &[("contact_id", contact)]).await?;
        Ok(rows.iter().filter_map(Note::read).collect())
    }

    /// Writes a note and returns its id.
    ///
    /// # Errors
    /// [`ClientError`]; 404 when there is no such contact.
    pub async fn add_note(&self, contact: &str, text: &str) -> Result<String, ClientError> {
        if !is_id(contact) {
            return Err(unknown());
        }
        let request = self.request(Method::PUT, &format!("/notes/add/{contact}.json"));
        created(&self.send(request.json(&json!({"note": text}))).await?)
    }

    /// Writes a note anew.
    ///
    /// # Errors
    /// [`ClientError`]; 404 when there is no such note.
    pub async fn edit_note(&self, contact: &str, note: &str, text: &str) -> Result<(), ClientError> {
        self.write(Method::POST, "/notes/edit", note, &json!({"contact_id": contact, "note": text})).await
    }
}
