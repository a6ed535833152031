//! Calls that are too long for the model: condensed in parts, then judged from the notes and from words that were verified to
//! be said in the call. The notes on each part are kept as they come ([`crate::kept`]), so that a part is paid for once.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Model,
    ask::{Bill, TOO_LONG},
    prompt::{self, Question, tokens},
    reply,
};
use crate::{
    domain::{Spoken, StepError, Usage},
    kept::{self, Kept, Shelf},
    ledger::Purse,
};

/// Parts that are asked about at the same time.
const AT_ONCE: usize = 4;
/// How often what was condensed may be condensed again.
const LEVELS: usize = 4;
/// Smallest part that is worth a question, in tokens.
const LEAST_ROOM: usize = 256;

/// What the model is to read, as it fits.
pub(super) struct Fitting {
    pub(super) lines: Vec<String>,
    /// In how many parts the transcript was condensed.
    pub(super) parts: Option<u32>,
}

/// What is read: the words that were said, and where notes on them are kept.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    pub(super) spoken: &'r Spoken,
    pub(super) kept: Option<&'r Kept>,
}

/// What a part comes to.
#[derive(Clone, Serialize, Deserialize)]
struct Notes {
    /// A digest of the whole call as the model was to read it.
    call: String,
    lines: Vec<String>,
    took: Usage,
}

/// The notes on one call.
struct Book<'r> {
    shelf: Shelf<'r, Notes>,
    call: String,
    spoken: &'r Spoken,
}

impl Model {
    /// Tokens that data may take beside the question and the reply.
    pub(super) fn room(&self, question: &Question) -> usize {
        let reply = usize::try_from(self.settings.max_tokens).unwrap_or(usize::MAX);
        // A small model does not write as much as it may.
        let reply = reply.min(self.settings.context / 4);
        self.settings.context.saturating_sub(reply + question.tokens()).max(LEAST_ROOM)
    }

    /// The lines themselves where they fit into `room` tokens, else what they come to.
    pub(super) async fn fit(
        &self,
        lines: &[String],
        room: usize,
        read: Reading<'_>,
        bill: &mut Bill<'_>,
    ) -> Result<Fitting, StepError> {
        let mut fitting = Fitting { lines: lines.to_vec(), parts: None };
        if length(lines) <= room {
            return Ok(fitting);
        }
        let book = Book { shelf: Shelf::open(read.kept).await?, call: kept::key(&json!(lines)), spoken: read.spoken };
        // What was taken out of the call since must not stay in notes.
        book.shelf.retain(|notes: &Notes| notes.call == book.call).await;
        for _ in 0..LEVELS {
            let before = length(&fitting.lines);
            if before <= room {
                return Ok(fitting);
            }
            let parts = cut(&fitting.lines, room);
            fitting.parts.get_or_insert(u32::try_from(parts.len()).unwrap_or(u32::MAX));
            fitting.lines.clear();
            for notes in self.condense_all(parts, &book, bill.purse).await? {
                fitting.lines.extend(notes.lines);
                bill.usage.add(&notes.took);
            }
            if length(&fitting.lines) >= before {
                break;
            }
        }
        let why = anyhow::anyhow!("even condensed, the call does not fit into what the model reads at once");
        Err(StepError::fail(TOO_LONG, why))
    }

    /// A few parts at a time, until one fails. Those that are under way then are waited for: they are paid for.
    async fn condense_all(
        &self,
        parts: Vec<Vec<String>>,
        book: &Book<'_>,
        purse: &Purse,
    ) -> Result<Vec<Notes>, StepError> {
        let stop = AtomicBool::new(false);
        let one = |part: Vec<String>| async {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let notes = self.condense(part, book, purse).await;
            if notes.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            Some(notes)
        };
        let all: Vec<_> = stream::iter(parts).map(one).buffered(AT_ONCE).collect().await;
        all.into_iter().flatten().collect()
    }

    async fn condense(&self, part: Vec<String>, book: &Book<'_>, purse: &Purse) -> Result<Notes, StepError> {
        let key = self.key(&part);
        if let Some(notes) = book.shelf.find(&key) {
            return Ok(notes);
        }
        let mut took = Usage::default();
        let read = self.ask(&self.part, &part, &mut Bill { purse, usage: &mut took }, reply::read_part).await?;
        let quoted = read.quotes.iter().filter_map(|quote| {
            let quote = prompt::without_name(quote);
            let speaker = book.spoken.by(quote)?;
            Some(format!("{}: {}", speaker.label(), prompt::plain(quote)))
        });
        let noted = format!("Notes: {}", prompt::plain(&read.notes));
        let notes = Notes { call: book.call.clone(), lines: [noted].into_iter().chain(quoted).collect(), took };
        book.shelf.keep(&key, &notes).await;
        Ok(notes)
    }

    /// The name under which the notes on a part are kept. How long a reply may be does not matter to one that was useful.
    fn key(&self, part: &[String]) -> String {
        let (model, effort) = (&self.settings.model, &self.settings.effort);
        kept::key(&json!([prompt::VERSION, model, effort, self.part.schema, self.part.messages(part)]))
    }
}

fn length(lines: &[String]) -> usize {
    lines.iter().map(|line| tokens(line) + 1).sum()
}

/// Parts of at most `room` tokens, cut between lines; within one only where it is longer than that itself.
fn cut(lines: &[String], room: usize) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut left = 0;
    for line in lines.iter().flat_map(|line| pieces(line, room)) {
        let takes = tokens(&line) + 1;
        match parts.last_mut().filter(|_| takes <= left) {
            Some(part) => part.push(line),
            None => {
                parts.push(vec![line]);
                left = room;
            }
        }
        left = left.saturating_sub(takes);
    }
    parts
}

/// The line, or pieces of it that each begin with the speaker's name.
fn pieces(line: &str, room: usize) -> Vec<String> {
    if tokens(line) < room {
        return vec![line.to_owned()];
    }
    let name = prompt::name(line);
    let text = line[name.len()..].trim_start();
    let name = if name.is_empty() { String::new() } else { format!("{name} ") };
    let mut pieces = vec![name.clone()];
    // A language without spaces has one endless word: it is cut anywhere.
    let longest = (room.saturating_sub(tokens(&name) + 2)).max(16);
    for word in text.split_inclusive(' ').flat_map(|word| chunks(word, longest)) {
        let full = pieces.last().is_some_and(|piece| tokens(piece) + tokens(word) + 1 >= room && *piece != name);
        if full {
            pieces.push(name.clone());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(word);
        }
    }
    pieces
}

/// Pieces of at most so many bytes, cut between characters.
fn chunks(word: &str, longest: usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let (piece, left) = rest.split_at(rest.floor_char_boundary(longest));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_and_nothing_is_lost_between_them() {
        let line = |n: usize| format!("Agent: this is sentence number {n}, and it goes on for a little while");
        let long = format!("Caller: {}", "and then ".repeat(200));
        let unspaced = format!("Caller: {}", "話".repeat(900));
        let lines: Vec<_> = (0..50).map(line).chain([long, unspaced]).collect();
        let parts = cut(&lines, 100);
        assert!(parts.len() > 10);
        assert!(parts.iter().all(|part| length(part) <= 100), "{:?}", parts.iter().map(|p| length(p)).max());
        assert!(parts.iter().flatten().all(|line| line.starts_with("Agent: ") || line.starts_with("Caller: ")));
        let said =
            |lines: &[String]| lines.iter().map(|l| l.replace("Caller: ", "").replace(' ', "")).collect::<String>();
        assert_eq!(said(&parts.concat()), said(&lines));
    }
}
