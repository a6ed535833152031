//! Copies notes, each once.

use super::{
    Carried, Mirror,
    book::{Book, Note},
    pair::Pair,
    texts,
};
use crate::{
    db,
    domain::{StepError, VerdictExt},
};

impl Mirror {
    /// Copies the note that an event tells of, by id, by what it says, or as the newest one.
    pub(super) async fn note(
        &self,
        pair: &Pair,
        id: Option<&str>,
        text: Option<&str>,
        again: bool,
    ) -> Result<Carried, StepError> {
        let note = match (id, text) {
            (Some(id), Some(text)) => Some(Note { id: id.to_owned(), text: text.to_owned() }),
            _ => self.meant(pair, id, text).await?,
        };
        let Some(note) = note else { return Ok(Carried::Nothing("no-new-note")) };
        if texts::is_ours(&note.text) || note.text.trim().is_empty() {
            return Ok(Carried::Nothing("echo"));
        }
        if db::mirror::is_copied(&self.db, pair.side, &note.id).await.or_ours()? {
            return Ok(Carried::Nothing("note-known"));
        }
        let book = self.book(pair.side.other());
        let written = if again { copy_among(book, pair, &note).await? } else { None };
        let copy = match &written {
            Some(copy) => copy.clone(),
            None => {
                let text = texts::copy(pair.side, &note.id, &note.text);
                match book.add_note(&pair.there, &text).await {
                    Ok(copy) => copy,
                    Err(error) => return Err(self.unless_gone(pair, error).await?),
                }
            }
        };
        db::mirror::save_copy(&self.db, pair.side, &note.id, &copy, self.clock.now()).await.or_ours()?;
        Ok(if written.is_some() { Carried::Nothing("note-known") } else { Carried::Written })
    }

    /// The newest note of which the event may tell, and that was not copied yet.
    async fn meant(&self, pair: &Pair, id: Option<&str>, text: Option<&str>) -> Result<Option<Note>, StepError> {
        let notes = self.book(pair.side).notes(&pair.here).await?;
        let fits = |note: &Note| match (id, text) {
            (Some(id), _) => note.id == id,
            (None, Some(text)) => words(&note.text) == words(text),
            (None, None) => !texts::is_ours(&note.text),
        };
        for note in notes.into_iter().rev().filter(fits) {
            if !db::mirror::is_copied(&self.db, pair.side, &note.id).await.or_ours()? {
                return Ok(Some(note));
            }
            if text.is_none() {
                break;
            }
        }
        Ok(None)
    }
}

/// The copy that an earlier try left whose answer was lost.
async fn copy_among(book: &dyn Book, pair: &Pair, note: &Note) -> Result<Option<String>, StepError> {
    let notes = book.notes(&pair.there).await?;
    Ok(notes.into_iter().find(|copy| texts::is_copy_of(&copy.text, &note.id)).map(|copy| copy.id))
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}
