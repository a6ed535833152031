//! What only one at a time may do, whichever process it is in: look whether a person is known outside and, if not, make
//! them known. Held in the database, for a bounded time, and never waited for: whoever comes second comes back later.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{self, Db},
};

/// Hands out names. Cheap to clone.
#[derive(Clone)]
pub struct Locks(Option<(Db, Clock)>);

/// Names that are held until this is released, dropped, or its time is over.
pub struct Held {
    owner: Uuid,
    longest: Duration,
    shared: Option<(Db, Clock)>,
}

impl Locks {
    /// Shared through this database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self(Some((db, clock)))
    }

    /// Nobody else is there, as in tests of a single client.
    pub fn unshared() -> Self {
        Self(None)
    }

    /// Holds nothing yet. What it will hold, it holds for `longest` at most.
    pub fn hold(&self, longest: Duration) -> Held {
        Held { owner: Uuid::now_v7(), longest, shared: self.0.clone() }
    }
}

impl Held {
    /// Takes these names, too; `false` when somebody else holds one of them.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn take(&self, names: &[String]) -> sqlx::Result<bool> {
        let Some((db, clock)) = &self.shared else { return Ok(true) };
        let now = clock.now();
        db::locks::take(db, names, self.owner, now, now + self.longest).await
    }

    /// Keeps them until their time is over.
    pub fn expire(mut self) {
        self.shared = None;
    }

    /// Gives all of them back.
    pub async fn release(mut self) {
        if let Some((db, _)) = self.shared.take() {
            give_back(&db, self.owner).await;
        }
    }
}

impl Drop for Held {
    /// For work that was cancelled.
    fn drop(&mut self) {
        if let Some((db, _)) = self.shared.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let owner = self.owner;
            runtime.spawn(async move { give_back(&db, owner).await });
        }
    }
}

async fn give_back(db: &Db, owner: Uuid) {
    if let Err(error) = db::locks::release(db, owner).await {
        tracing::warn!(%error, "a lock could not be given back; it ends by itself");
    }
}
