//! Replies that were paid for, kept until the result holds them: a try that ends in the middle, however it ends, leaves the
//! next one only the rest to buy. Each step names what it asked for by a digest, [`key`].

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    db::{self, Db},
    domain::{CallId, Step, StepError, VerdictExt},
};

/// Where the replies to one step of one call are kept.
pub struct Kept {
    db: Db,
    clock: Clock,
    call: CallId,
    step: Step,
}

impl Kept {
    /// In this database, for this step of this call.
    pub fn new(db: Db, clock: Clock, call: CallId, step: Step) -> Self {
        Self { db, clock, call, step }
    }
}

/// The name under which the reply to a question is kept: all that the reply depends on.
pub fn key(asked: &Value) -> String {
    hex::encode(Sha256::digest(asked.to_string()))
}

/// What is kept: what was there when a try began, and what it has bought since.
pub struct Shelf<'k, R> {
    kept: Option<&'k Kept>,
    replies: Mutex<HashMap<String, R>>,
}

impl<'k, R: Clone + Serialize + DeserializeOwned> Shelf<'k, R> {
    /// With what is there. `None` keeps nothing beyond the try.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn open(kept: Option<&'k Kept>) -> Result<Self, StepError> {
        let rows = match kept {
            Some(kept) => db::pieces::of(&kept.db, kept.call, kept.step).await.or_ours()?,
            None => Vec::new(),
        };
        // A reply that another version wrote down differently is bought again.
        let replies = rows.into_iter().filter_map(|(key, reply)| Some((key, serde_json::from_value(reply).ok()?)));
        Ok(Self { kept, replies: Mutex::new(replies.collect()) })
    }

    /// The reply to that question.
    pub fn find(&self, key: &str) -> Option<R> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps a reply. Where that fails this try goes on with what it has in hand.
    pub async fn keep(&self, key: &str, reply: &R) {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), reply.clone());
        let Some(Kept { db, clock, call, step }) = self.kept else { return };
        if let Err(error) = db::pieces::keep(db, *call, *step, key, &json!(reply), clock.now()).await {
            tracing::warn!(%error, "a reply that was paid for could not be kept");
        }
    }

    /// Forgets the replies that will never be of use again.
    pub async fn retain(&self, is_of_use: impl Fn(&R) -> bool) {
        let useless: Vec<String> = {
            let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
            replies.extract_if(|_, reply| !is_of_use(reply)).map(|(key, _)| key).collect()
        };
        let Some(Kept { db, call, .. }) = self.kept else { return };
        if let Err(error) = db::pieces::discard(db, *call, &useless).await {
            tracing::warn!(%error, "replies that are of no use stay");
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
        let reply = "Words.".to_owned();
        assert_eq!(shelf.find("first half"), None);
        shelf.keep("first half", &reply).await;
        assert_eq!(shelf.find("first half"), Some(reply));
        shelf.retain(|reply| reply != "Words.").await;
        assert_eq!(shelf.find("first half"), None);
    }
}
