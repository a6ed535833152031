//! Two calls were told before they were found to be one: the note that the other outranks goes. The call in a conversation
//! stays, as there is no way to remove it (facts: crm_ai §1.6).

use super::{
    api::{Api, is_gone},
    note::NoteKind,
    refs::Refs,
};
use crate::{
    domain::{Delivery, Milestone, Report},
    http::ClientError,
};

/// Removes the note of `outranked`, unless it is one that `stays`; where its reply may have been lost, those found under the
/// names of the call. Returns what is left of the delivery; `None` when it had no note.
///
/// # Errors
/// As the CRM answers.
pub async fn note(
    api: &Api,
    report: &Report,
    outranked: &Delivery,
    stays: &[&Delivery],
) -> Result<Option<Delivery>, ClientError> {
    let refs = Refs::of(outranked);
    let Some(contact) = &refs.contact_id else { return Ok(None) };
    let notes = match &refs.note_id {
        Some(note) => vec![note.clone()],
        None if outranked.content_hash == Delivery::UNFINISHED => {
            lost(api, report, outranked.milestone, contact).await?
        }
        None => return Ok(None),
    };
    let kept: Vec<String> = stays.iter().filter_map(|delivery| Refs::of(delivery).note_id).collect();
    for note in notes.iter().filter(|note| !kept.contains(note)) {
        match api.delete_note(contact, note).await {
            Ok(()) => tracing::info!("a second note on a call was removed"),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    // Without the contact, so that nothing is looked for again.
    let left = Refs { contact_id: None, note_id: None, note_hash: None, note_links: None, ..refs };
    Ok(Some(Delivery { content_hash: Delivery::UNFINISHED.to_owned(), refs: left.kept(), ..outranked.clone() }))
}

/// The notes of this milestone that the contact has, under any name of the call.
async fn lost(api: &Api, report: &Report, milestone: Milestone, contact: &str) -> Result<Vec<String>, ClientError> {
    let kind = match milestone {
        Milestone::Started => return Ok(Vec::new()),
        Milestone::Ended => NoteKind::Call,
        Milestone::Recorded => NoteKind::Recording,
        Milestone::Analyzed => NoteKind::Feedback,
    };
    let ours = |text: &str| report.calls().any(|call| kind.is(call, text));
    match api.notes(contact).await {
        Ok(notes) => {
            let found = notes.into_iter().filter(|note| note.body.as_deref().is_some_and(ours));
            Ok(found.map(|note| note.id).collect())
        }
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
