//! Two calls were told before they were found to be one: the note that the other outranks goes. The call in a conversation
//! stays, as there is no way to remove it (facts: crm_ai §1.6).

use super::{
    api::{Api, is_gone},
    refs::Refs,
};
use crate::{domain::Delivery, http::ClientError};

/// Removes the note of `outranked`, unless it is one that `stays`. Returns what is left of the delivery; `None` when it had no
/// note.
///
/// # Errors
/// As the CRM answers.
pub async fn note(api: &Api, outranked: &Delivery, stays: &[&Delivery]) -> Result<Option<Delivery>, ClientError> {
    let refs = Refs::of(outranked);
    let (Some(contact), Some(note)) = (&refs.contact_id, &refs.note_id) else { return Ok(None) };
    if !stays.iter().any(|delivery| Refs::of(delivery).note_id.as_ref() == Some(note)) {
        match api.delete_note(contact, note).await {
            Ok(()) => tracing::info!("a second note on a call was removed"),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let left = Refs { note_id: None, note_hash: None, note_links: None, ..refs };
    Ok(Some(Delivery { content_hash: Delivery::UNFINISHED.to_owned(), refs: left.kept(), ..outranked.clone() }))
}
