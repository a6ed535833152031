//! What only one at a time may do, whichever process it is in: look whether a person is known outside and, if not, make
//! them known. Held in the database by a lease that its holder renews, and never waited for: whoever comes second comes
//! back later, and what a killed process held is free when its lease is over.

use std::{sync::OnceLock, time::Duration};

use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::{
    clock::Clock,
    db::{self, Db},
};

/// What a dead process held is free after this at most.
pub const LEASE: Duration = Duration::from_secs(20);
/// So many renewals fit into a lease: three may fail.
const RENEWALS: u32 = 4;

/// Hands out names. Cheap to clone.
#[derive(Clone)]
pub struct Locks {
    shared: Option<(Db, Clock)>,
    lease: Duration,
}

/// Names that are held until this is released or dropped.
pub struct Held {
    owner: Uuid,
    locks: Locks,
    renewal: OnceLock<AbortOnDropHandle<()>>,
}

impl Locks {
    /// Shared through this database.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { shared: Some((db, clock)), lease: LEASE }
    }

    /// Nobody else is there, as in tests of a single client.
    pub fn unshared() -> Self {
        Self { shared: None, lease: LEASE }
    }

    /// The same with another lease.
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Holds nothing yet.
    pub fn hold(&self) -> Held {
        Held { owner: Uuid::now_v7(), locks: self.clone(), renewal: OnceLock::new() }
    }
}

impl Held {
    /// Takes these names, too; `false` when somebody else holds one of them.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn take(&self, names: &[String]) -> sqlx::Result<bool> {
        let Locks { shared: Some((db, clock)), lease } = &self.locks else { return Ok(true) };
        let now = clock.now();
        let taken = db::locks::take(db, names, self.owner, now, now + *lease).await?;
        if taken {
            self.renewal.get_or_init(|| {
                let renewing = renew(db.clone(), clock.clone(), self.owner, *lease);
                AbortOnDropHandle::new(tokio::spawn(renewing))
            });
        }
        Ok(taken)
    }

    /// Keeps them until their lease is over, without renewing it.
    pub fn expire(mut self) {
        self.locks.shared = None;
    }

    /// Gives all of them back.
    pub async fn release(mut self) {
        self.renewal.take();
        if let Some((db, _)) = self.locks.shared.take() {
            give_back(&db, self.owner).await;
        }
    }
}

impl Drop for Held {
    /// For work that was cancelled.
    fn drop(&mut self) {
        if let Some((db, _)) = self.locks.shared.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let owner = self.owner;
            runtime.spawn(async move { give_back(&db, owner).await });
        }
    }
}

async fn renew(db: Db, clock: Clock, owner: Uuid, lease: Duration) {
    loop {
        tokio::time::sleep(lease / RENEWALS).await;
        if let Err(error) = db::locks::renew(&db, owner, clock.now() + lease).await {
            tracing::warn!(%error, "a lock could not be renewed; the next renewal tries again");
        }
    }
}

async fn give_back(db: &Db, owner: Uuid) {
    if let Err(error) = db::locks::release(db, owner).await {
        tracing::warn!(%error, "a lock could not be given back; it ends by itself");
    }
}
