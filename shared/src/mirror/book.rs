//! What the mirror asks of a side. `cloudtalk` and `gohighlevel` answer.

use async_trait::async_trait;

use super::{
    merge::Writes,
    person::{Person, Seen},
};
use crate::{domain::Phone, http::ClientError};

/// A note of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The side's id.
    pub id: String,
    /// What it says.
    pub text: String,
}

/// The contacts of one side.
#[async_trait]
pub trait Book: Send + Sync {
    /// The contact of that id; `None` when there is none (any more).
    async fn read(&self, id: &str) -> Result<Option<Person>, ClientError>;

    /// The id of the contact with that number.
    async fn by_phone(&self, phone: &Phone) -> Result<Option<String>, ClientError>;

    /// The id of the contact with that e-mail address.
    async fn by_email(&self, email: &str) -> Result<Option<String>, ClientError>;

    /// Whether contacts may be created here.
    fn creates(&self) -> bool;

    /// Creates a contact that holds what `seen` does, and returns its id.
    async fn create(&self, seen: &Seen) -> Result<String, ClientError>;

    /// Writes to a contact of which `seen` was seen, and no more than is to be written.
    async fn write(&self, person: &Person, seen: &Seen, writes: &Writes) -> Result<(), ClientError>;

    /// Whether an answer says that the contact is not there (any more).
    fn is_gone(&self, error: &ClientError) -> bool;

    /// All notes of a contact, the oldest first.
    async fn notes(&self, contact: &str) -> Result<Vec<Note>, ClientError>;

    /// Writes a note and returns its id.
    async fn add_note(&self, contact: &str, text: &str) -> Result<String, ClientError>;
}

/// Puts `new` in the place of `old`, or in front; where it is already, nothing is lost.
pub(super) fn replaced<T: Clone + PartialEq>(held: &[T], old: Option<&T>, new: &T) -> Vec<T> {
    let rest = held.iter().filter(|value| Some(*value) != old && *value != new);
    std::iter::once(new).chain(rest).cloned().collect()
}
