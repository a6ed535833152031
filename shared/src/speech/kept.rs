//! What the pieces of a recording are named by, and which of them are paid for already.

use serde_json::json;

use super::{buy::Bought, reply::Reply};
use crate::{
    audio::Piece,
    clock::Clock,
    db::Db,
    domain::{CallId, Step, StepError},
    kept,
};

/// Where the replies to one call's recording are kept.
pub struct Kept {
    replies: kept::Kept,
    recording: String,
}

impl Kept {
    /// In this database, for this call; `recording` is the SHA-256 of the audio that is heard.
    pub fn new(db: Db, clock: Clock, call: CallId, recording: &str) -> Self {
        Self { replies: kept::Kept::new(db, clock, call, Step::Transcribe), recording: recording.to_owned() }
    }
}

/// The replies to one recording that were bought so far.
pub(super) struct Shelf<'k> {
    replies: kept::Shelf<'k, Reply>,
    recording: &'k str,
}

impl<'k> Shelf<'k> {
    pub(super) async fn open(kept: Option<&'k Kept>) -> Result<Self, StepError> {
        let replies = kept::Shelf::open(kept.map(|kept| &kept.replies)).await?;
        Ok(Self { replies, recording: kept.map_or("", |kept| kept.recording.as_str()) })
    }

    /// The name of a piece under which its reply is kept. `terms` is what was asked for, beside the sound.
    pub(super) fn key(&self, piece: &Piece, terms: &str) -> String {
        let thousandths = |seconds: f64| (seconds * 1000.0).round() as i64;
        let stretches: Vec<_> = piece.stretches.iter().map(|s| [thousandths(s.start), thousandths(s.end)]).collect();
        kept::key(&json!([self.recording, piece.channel, stretches, terms]))
    }

    pub(super) fn find(&self, key: &str) -> Option<Reply> {
        self.replies.find(key)
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

    pub(super) async fn keep(&self, key: &str, reply: &Reply) {
        self.replies.keep(key, reply).await;
    }
}
