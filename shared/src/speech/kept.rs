//! Replies that were paid for, kept until the transcript holds them: a try that ends in the middle, however it ends, leaves
//! the next one only the rest to buy.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{buy::Bought, reply::Reply};
use crate::{
    audio::Piece,
    clock::Clock,
    db::{self, Db},
    domain::{CallId, StepError, VerdictExt},
};

/// Where the replies to one call's recording are kept.
pub struct Kept {
    db: Db,
    clock: Clock,
    call: CallId,
    recording: String,
}

impl Kept {
    /// In this database, for this call; `recording` is the SHA-256 of the audio that is heard.
    pub fn new(db: Db, clock: Clock, call: CallId, recording: &str) -> Self {
        Self { db, clock, call, recording: recording.to_owned() }
    }
}

/// What is kept: what was there when a try began, and what it has bought since.
pub(super) struct Shelf<'a> {
    kept: Option<&'a Kept>,
    replies: Mutex<HashMap<String, Reply>>,
}

impl<'a> Shelf<'a> {
    pub(super) async fn open(kept: Option<&'a Kept>) -> Result<Self, StepError> {
        let rows = match kept {
            Some(kept) => db::pieces::of(&kept.db, kept.call).await.or_ours()?,
            None => Vec::new(),
        };
        // A reply that another version wrote down differently is bought again.
        let replies = rows.into_iter().filter_map(|(key, reply)| Some((key, serde_json::from_value(reply).ok()?)));
        Ok(Self { kept, replies: Mutex::new(replies.collect()) })
    }

    /// The name of a piece under which its reply is kept. `terms` is what was asked for, beside the sound.
    pub(super) fn key(&self, piece: &Piece, terms: &str) -> String {
        let thousandths = |seconds: f64| (seconds * 1000.0).round() as i64;
        let stretches: Vec<_> = piece.stretches.iter().map(|s| [thousandths(s.start), thousandths(s.end)]).collect();
        let recording = self.kept.map_or("", |kept| kept.recording.as_str());
        let asked = json!([recording, piece.channel, stretches, terms]);
        hex::encode(Sha256::digest(asked.to_string()))
    }

    pub(super) fn find(&self, key: &str) -> Option<Reply> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The pieces whose replies are here, and those that have to be bought.
    pub(super) fn sorted(&self, pieces: Vec<Piece>, terms: &str) -> (Vec<Bought>, Vec<Piece>) {
        let mut bought = Vec::new();
        let missing = |piece: Piece| match self.find(&self.key(&piece, terms)) {
            Some(reply) => {
                bought.push(Bought { piece, reply });
                None
            }
            None => Some(piece),
        };
        let missing = pieces.into_iter().filter_map(missing).collect();
        (bought, missing)
    }

    /// Keeps a reply. Where that fails this try goes on with what it has in hand.
    pub(super) async fn keep(&self, key: &str, reply: &Reply) {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), reply.clone());
        let Some(kept) = self.kept else { return };
        let reply = json!(reply);
        if let Err(error) = db::pieces::keep(&kept.db, kept.call, key, &reply, kept.clock.now()).await {
            tracing::warn!(%error, "a reply that was paid for could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[tokio::test]
    async fn what_was_bought_in_this_try_is_found_again_in_it() {
        let shelf = Shelf::open(None).await.unwrap();
        let reply = Reply { text: "Words.".to_owned(), ..Reply::default() };
        assert_eq!(shelf.find("first half"), None);
        shelf.keep("first half", &reply).await;
        assert_eq!(shelf.find("first half"), Some(reply));
    }
}
